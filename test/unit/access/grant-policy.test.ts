import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  maxAttachedPolicies,
  maxPayersPerTarget,
  type Packed,
  packShards,
  payerRolesOf,
} from '../../../shared/access/grant-policy.ts';
import { maxPolicyCharacters } from '../../../shared/aws/managed-policy.ts';
import {
  policyCharacters,
  type PolicyDocument,
  policyOf,
  samePolicy,
  type Statement,
} from '../../../shared/aws/policy-document.ts';

const roleOf = (payer: number, path = '') => `arn:aws:iam::${100_000_000_000 + payer}:role/${path}kubecost-cur-access`;
const rolesIn = (shards: Packed['shards']) =>
  [...shards.values()].flatMap((document) => (document ? payerRolesOf(document) : []));
const remaining = (shards: Packed['shards']) =>
  new Map([...shards].flatMap(([shard, document]) => (document ? [[shard, document]] : [])));
const most = maxAttachedPolicies;
const foreign: Statement = { Sid: 'TheirOwn', Effect: 'Allow', Action: 's3:GetObject', Resource: '*' };

/** A target's history: payers join and depart, others attach policies, the table loses its items. */
const life = fc.array(
  fc.record({
    joining: fc.array(fc.tuple(fc.nat(2000), fc.constantFrom('', 'finance/', 'a/very/long/path/to/the/role/')), {
      maxLength: 400,
      size: 'max',
    }),
    departing: fc.array(fc.nat(2000), { maxLength: 400, size: 'max' }),
    otherPolicies: fc.nat(3),
    emptied: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

describe('the policies of a pod role', () => {
  it('contain exactly the wanted roles after any history', () => {
    fc.assert(
      fc.property(life, fc.boolean(), (steps, shared) => {
        let shards = new Map<number, PolicyDocument>(shared ? [[1, policyOf(foreign)]] : []);
        let known = new Set<string>();
        for (const { joining, departing, otherPolicies, emptied } of steps) {
          const kept = rolesIn(shards);
          if (emptied) known = new Set();
          for (const [payer, path] of joining) known.add(roleOf(payer, path));
          const removed = [...known].filter((_, index) => departing.includes(index));
          for (const arn of removed) known.delete(arn);
          const packing = { wanted: [...known], removed, most: most - otherPolicies };
          const packed = packShards(shards, packing);

          const expected = new Set([...kept, ...known].filter((arn) => !removed.includes(arn)));
          for (const arn of packed.left) expected.delete(arn);
          expect(rolesIn(packed.shards).sort()).toEqual([...expected].sort());
          for (const [shard, document] of shards) {
            const after = packed.shards.get(shard);
            const now = new Set(after ? payerRolesOf(after) : []);
            expect(payerRolesOf(document).filter((arn) => !removed.includes(arn) && !now.has(arn))).toEqual([]);
          }
          for (const document of remaining(packed.shards).values())
            expect(policyCharacters(document)).toBeLessThanOrEqual(maxPolicyCharacters);
          expect(packed.shards.size).toBeLessThanOrEqual(Math.max(shards.size, packing.most));
          if (packed.left.length > 0) expect(packed.shards.size).toBeGreaterThanOrEqual(packing.most);
          if (shared) expect(packed.shards.get(1)?.Statement).toContainEqual(foreign);

          shards = remaining(packed.shards);
          const again = packShards(shards, packing);
          expect([...again.shards]).toEqual([...shards]);
          for (const arn of packed.left) known.delete(arn);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('change in only one policy when a payer joins', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1100 }), fc.array(fc.nat(1100), { maxLength: 20 }), (count, departing) => {
        const wanted = Array.from({ length: count }, (_, payer) => roleOf(payer));
        const removed = departing.flatMap((payer) => wanted[payer] ?? []);
        const before = remaining(packShards(new Map(), { wanted, removed: [], most }).shards);
        const holey = remaining(packShards(before, { wanted: [], removed, most }).shards);
        const after = remaining(packShards(holey, { wanted: [roleOf(2001)], removed: [], most }).shards);
        const changed = [...after].filter(([shard, document]) => {
          const was = holey.get(shard);
          return !was || !samePolicy(was, document);
        });
        expect(changed).toHaveLength(1);
      }),
      { numRuns: 100 },
    );
  });

  it('have room for exactly 1,130 payers', () => {
    const wanted = Array.from({ length: maxPayersPerTarget + 1 }, (_, payer) => roleOf(payer));
    expect(maxPayersPerTarget).toBe(1130);
    const { shards, left } = packShards(new Map(), { wanted, removed: [], most });
    expect([...shards.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(left).toEqual(wanted.slice(-1));
  });

  it('are deleted when empty, unless they contain a foreign statement', () => {
    const { shards } = packShards(new Map(), { wanted: [roleOf(1)], removed: [], most });
    const gone = { wanted: [], removed: [roleOf(1)], most };
    expect([...packShards(remaining(shards), gone).shards]).toEqual([[1, undefined]]);
    const document = policyOf(foreign, ...(shards.get(1)?.Statement ?? []));
    expect([...packShards(new Map([[1, document]]), gone).shards]).toEqual([[1, policyOf(foreign)]]);
  });

  it('reuse the space of a departed payer', () => {
    const there = remaining(packShards(new Map(), { wanted: [roleOf(1)], removed: [], most: 1 }).shards);
    const { shards } = packShards(there, { wanted: [roleOf(2)], removed: [roleOf(1)], most: 1 });
    expect(rolesIn(shards)).toEqual([roleOf(2)]);
  });
});
