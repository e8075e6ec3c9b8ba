import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createWorld } from './create-world.ts';

const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');

it.each(createWorld().services.map((service) => [service.signingName, service] as const))(
  'the README lists the operations of %s',
  (name, { operations }) => {
    const names = Object.keys(operations).sort();
    expect(readme).toContain(`| \`${name}\` | ${names.join(', ')} |`);
  },
);

it('the README lists no other service', () => {
  const listed = [...readme.matchAll(/^\| `([\w-]+)` \| [A-Z]/gm)].map(([, name]) => name);
  expect(listed).toEqual(createWorld().services.map(({ signingName }) => signingName));
});
