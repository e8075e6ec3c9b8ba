import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface ServerCertificate {
  key: string;
  cert: string;
  /** PEM of the authority that signed `cert`. */
  ca: string;
}

const commonName = Buffer.from('0603550403', 'hex');
const ecdsaWithSha256 = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'));
const basicConstraints = Buffer.from('0603551d13', 'hex');
const subjectAlternativeName = Buffer.from('0603551d11', 'hex');
const isTrue = Buffer.from('0101ff', 'hex');

const day = 86_400_000;

/**
 * An authority and a certificate for 127.0.0.1 signed by it, P-256. TLS checks validity against the system clock, so the dates
 * must be real while the sandbox's `Date` is virtual.
 */
export function createCertificate(): ServerCertificate {
  const realNow = performance.timeOrigin + performance.now();
  const validity = der(0x30, utcTime(realNow - day), utcTime(realNow + 3650 * day));
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = name('kubernetes');
  const certificate = (subject: Buffer, key: KeyObject, extension: Buffer) =>
    signed(
      der(
        0x30,
        der(0xa0, Buffer.from('020102', 'hex')),
        der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
        ecdsaWithSha256,
        issuer,
        validity,
        subject,
        key.export({ type: 'spki', format: 'der' }),
        der(0xa3, der(0x30, extension)),
      ),
      authority.privateKey,
    );
  return {
    key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificate(
      name('kube-apiserver'),
      server.publicKey,
      der(0x30, subjectAlternativeName, der(0x04, der(0x30, der(0x87, Buffer.from([127, 0, 0, 1]))))),
    ),
    ca: certificate(issuer, authority.publicKey, der(0x30, basicConstraints, isTrue, der(0x04, der(0x30, isTrue)))),
  };
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function name(text: string): Buffer {
  return der(0x30, der(0x31, der(0x30, commonName, der(0x0c, Buffer.from(text)))));
}

function utcTime(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replaceAll(/\D/g, '');
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}

function signed(body: Buffer, key: KeyObject): string {
  const bytes = der(0x30, body, ecdsaWithSha256, der(0x03, Buffer.from([0]), sign('sha256', body, key)));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
