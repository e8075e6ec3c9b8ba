import type { NormalizedSchema } from '@smithy/core/schema';
import { members } from './shapes.ts';

/** `@timestampFormat` as the schemas number it. */
const isoDate = 5;
const httpDate = 6;
const epochSeconds = 7;

export type Fields = Record<string, unknown>;

export function readText(text: string, schema: NormalizedSchema): unknown {
  if (schema.isBooleanSchema()) return text === 'true';
  if (schema.isNumericSchema()) return Number(text);
  if (schema.isTimestampSchema()) return new Date(/^[\d.]+$/.test(text) ? Number(text) * 1000 : text);
  if (schema.isBlobSchema()) return Buffer.from(text, 'base64');
  return text;
}

/** A scalar in the notation of XML and headers; dates are ISO in XML and HTTP dates in headers unless the model says otherwise. */
export function writeText(value: unknown, schema: NormalizedSchema, place: 'xml' | 'header'): string {
  if (schema.isTimestampSchema()) {
    const date = asDate(value);
    const stated = schema.getSchema() as number;
    const format = [isoDate, httpDate, epochSeconds].includes(stated) ? stated : place === 'xml' ? isoDate : httpDate;
    if (format === epochSeconds) return String(date.getTime() / 1000);
    return format === httpDate ? date.toUTCString() : date.toISOString().replace('.000Z', 'Z');
  }
  if (schema.isBlobSchema()) return Buffer.from(value as Uint8Array).toString('base64');
  return String(value);
}

function asDate(value: unknown): Date {
  return value instanceof Date ? value : new Date(value as number | string);
}

export function fromJson(value: unknown, schema: NormalizedSchema): unknown {
  if (value === null || value === undefined) return undefined;
  if (schema.isDocumentSchema()) return value;
  if (schema.isStructSchema()) {
    const found: Fields = {};
    for (const [name, member] of members(schema)) {
      const read = fromJson((value as Fields)[name], member);
      if (read !== undefined) found[name] = read;
    }
    return found;
  }
  if (schema.isListSchema()) return (value as unknown[]).map((item) => fromJson(item, schema.getValueSchema()));
  if (schema.isMapSchema()) return eachValue(value, (item) => fromJson(item, schema.getValueSchema()));
  if (schema.isTimestampSchema()) return new Date(typeof value === 'number' ? value * 1000 : (value as string));
  if (schema.isBlobSchema()) return Buffer.from(value as string, 'base64');
  return value;
}

/** Dates are epoch seconds as numbers: an ISO string makes the SDK throw. */
export function toJson(value: unknown, schema: NormalizedSchema): unknown {
  if (value === null || value === undefined || schema.isDocumentSchema()) return value;
  if (schema.isStructSchema()) {
    const written: Fields = {};
    for (const [name, member] of members(schema)) {
      const item = (value as Fields)[name];
      if (item !== undefined && item !== null) written[name] = toJson(item, member);
    }
    return written;
  }
  if (schema.isListSchema()) return (value as unknown[]).map((item) => toJson(item, schema.getValueSchema()));
  if (schema.isMapSchema()) return eachValue(value, (item) => toJson(item, schema.getValueSchema()));
  if (schema.isTimestampSchema()) {
    const date = asDate(value);
    return schema.getSchema() === isoDate ? date.toISOString() : date.getTime() / 1000;
  }
  if (schema.isBlobSchema()) return Buffer.from(value as Uint8Array).toString('base64');
  return value;
}

function eachValue(map: unknown, change: (item: unknown) => unknown): Fields {
  return Object.fromEntries(Object.entries(map as Fields).map(([key, item]) => [key, change(item)]));
}
