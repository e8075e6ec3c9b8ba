import { request } from 'node:https';
import { installVirtualDate } from '../clock.ts';
import { eksService } from '../services/eks/service.ts';
import { type Cluster, EksState } from '../services/eks/state.ts';
import { eksAuthService } from '../services/eks-auth.ts';
import { iamService } from '../services/iam/service.ts';
import { stsService } from '../services/sts/service.ts';
import type { World } from '../world.ts';
import { clusterToken } from './cluster-token.ts';
import { coreWorld, type Credentials, policy, serve } from './core-world.ts';

export const clusterAccount = '222233334444';
export const home = { accountId: clusterAccount, region: 'eu-west-1', name: 'finops' };

export interface Answer {
  status: number;
  /** JSON objects are parsed, other bodies are text. */
  body: Record<string, unknown> & { message?: string; reason?: string };
  text: string;
}

/** One cluster behind the AWS server, on virtual dates. */
export async function clusterWorld() {
  const world = coreWorld();
  world.eks = new EksState(world);
  const undoDate = installVirtualDate(world.clock);
  const served = await serve(world, [eksAuthService, eksService, iamService, stsService]);
  const cluster = await world.eks.createCluster({ ...home, addons: ['eks-pod-identity-agent'] });
  return {
    ...served,
    cluster,
    async close() {
      world.clock.stop();
      await Promise.all([served.close(), world.eks.close()]);
      undoDate();
    },
  };
}

/** A session of a role of the cluster's account; creates the role on first use. */
function sessionAs(world: World, roleName: string, sessionName = 'test'): Credentials & { secretAccessKey: string } {
  if (!world.iam.role(clusterAccount, roleName))
    world.iam.createRole({
      accountId: clusterAccount,
      name: roleName,
      trust: policy({
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${clusterAccount}:root` },
        Action: 'sts:AssumeRole',
      }),
      settled: true,
    });
  return world.sts.issueSession({ accountId: clusterAccount, roleName, sessionName });
}

/** The bearer token of a session of that role. */
export function tokenAs(world: World, roleName: string): string {
  return clusterToken(home, sessionAs(world, roleName));
}

export function call(
  cluster: Pick<Cluster, 'kubernetes'>,
  token: string | undefined,
  method: string,
  path: string,
  body?: object | string,
  contentType = 'application/json',
): Promise<Answer> {
  const { endpoint, certificateAuthority: ca } = cluster.kubernetes;
  const sent = typeof body === 'object' ? JSON.stringify(body) : (body ?? '');
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(sent && { 'content-type': contentType, 'content-length': Buffer.byteLength(sent) }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${endpoint}${path}`, { method, headers, ca, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const parsed = text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {};
        resolve({ status: answer.statusCode ?? 0, body: parsed, text });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(sent);
  });
}
