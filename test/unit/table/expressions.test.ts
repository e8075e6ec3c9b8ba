import { describe, expect, it } from 'vitest';
import {
  absent,
  allOf,
  anyOf,
  type Condition,
  differs,
  equals,
  exists,
  hasSize,
  isAtMost,
  isBelow,
  isOneOf,
  Terms,
  updateExpression,
} from '../../../shared/table/expressions.ts';

const conditionOf = (condition: Condition) => {
  const terms = new Terms();
  return { text: condition(terms), ...terms.attributes };
};

describe('an update expression', () => {
  it('contains every kind of write with aliased names and values', () => {
    const terms = new Terms();
    const text = updateExpression(terms, [
      { at: 'status', to: 'running' },
      { at: ['steps', 'publish', 'status'], ifAbsent: 'pending' },
      { at: ['steps', 'publish', 'invocations'], plus: 1 },
      { at: 'list', append: ['one'] },
      { at: 'error', to: undefined },
      { at: 'roles', include: new Set(['a']) },
    ]);
    expect(text).toBe(
      'SET #n0 = :v0, #n1.#n2.#n0 = if_not_exists(#n1.#n2.#n0, :v1), ' +
        '#n1.#n2.#n3 = if_not_exists(#n1.#n2.#n3, :v2) + :v3, #n4 = list_append(#n4, :v4) REMOVE #n5 ADD #n6 :v5',
    );
    expect(terms.attributes).toEqual({
      ExpressionAttributeNames: {
        '#n0': 'status',
        '#n1': 'steps',
        '#n2': 'publish',
        '#n3': 'invocations',
        '#n4': 'list',
        '#n5': 'error',
        '#n6': 'roles',
      },
      ExpressionAttributeValues: {
        ':v0': 'running',
        ':v1': 'pending',
        ':v2': 0,
        ':v3': 1,
        ':v4': ['one'],
        ':v5': new Set(['a']),
      },
    });
  });

  it('omits empty maps, which DynamoDB refuses', () => {
    const terms = new Terms();
    expect(updateExpression(terms, [{ at: 'error', to: undefined }])).toBe('REMOVE #n0');
    expect(terms.attributes).toEqual({ ExpressionAttributeNames: { '#n0': 'error' } });
    expect(new Terms().attributes).toEqual({});
  });
});

describe('a condition', () => {
  it.each<[string, Condition, string]>([
    ['absent', absent('pk'), 'attribute_not_exists(#n0)'],
    ['exists', exists(['outbox', 'a']), 'attribute_exists(#n0.#n1)'],
    ['equals', equals('a', 1), '#n0 = :v0'],
    ['differs', differs('a', 1), '#n0 <> :v0'],
    ['is one of', isOneOf('a', [1, 2]), '#n0 IN (:v0, :v1)'],
    ['is below', isBelow('a', 1), '#n0 < :v0'],
    ['is at most', isAtMost('a', 1), '#n0 <= :v0'],
    ['has a size', hasSize('a', 1), 'size(#n0) = :v0'],
  ])('is spelled as DynamoDB reads it: %s', (_, condition, text) => {
    expect(conditionOf(condition).text).toBe(text);
  });

  it('has parentheses where AND and OR are mixed', () => {
    const condition = allOf(equals('a', 1), anyOf(absent('b'), equals('a', 2)));
    expect(conditionOf(condition)).toEqual({
      text: '(#n0 = :v0) AND ((attribute_not_exists(#n1)) OR (#n0 = :v1))',
      ExpressionAttributeNames: { '#n0': 'a', '#n1': 'b' },
      ExpressionAttributeValues: { ':v0': 1, ':v1': 2 },
    });
  });
});
