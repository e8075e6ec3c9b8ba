import { httpStatus } from '../errors/errors.ts';
import { Redaction } from './redaction.ts';

export interface Fact {
  topic: string;
  name: string;
  value: unknown;
}

/** What a probe has found. A call that fails is a fact too, and the probe continues. */
export class FactList {
  readonly redaction = new Redaction();
  readonly #facts: Fact[] = [];

  add(topic: string, name: string, value: unknown): void {
    this.#facts.push({ topic, name, value });
  }

  /** Adds what the call answers, and returns it; undefined if it fails. @param shown what of the answer to add; all of it by default */
  async ask<T>(
    topic: string,
    name: string,
    call: () => Promise<T>,
    shown: (answer: T) => unknown = (answer) => answer,
  ): Promise<T | undefined> {
    try {
      const answer = await call();
      this.add(topic, name, shown(answer));
      return answer;
    } catch (error) {
      this.add(topic, name, { failed: describe(error) });
      return undefined;
    }
  }

  /** One line for each fact, below its topic. */
  text(): string {
    const topics = [...new Set(this.#facts.map(({ topic }) => topic))];
    const lines = topics.flatMap((topic) => [
      `## ${topic}`,
      ...this.#facts
        .filter((fact) => fact.topic === topic)
        .map(({ name, value }) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value, undefined)}`),
      '',
    ]);
    return lines.map((line) => this.redaction.apply(line)).join('\n');
  }
}

function describe(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  return { code: error.name, status: httpStatus(error), message: error.message };
}
