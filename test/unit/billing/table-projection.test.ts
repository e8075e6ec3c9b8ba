import { describe, expect, it } from 'vitest';
import { firstUncoveredMonth, projectionProblems } from '../../../shared/billing/table-projection.ts';

const home = 's3://bucket/cur/daily/daily';
const report = { reportName: 'daily', bucket: 'bucket', prefix: 'cur' };
const november = { year: '2026', month: '11' };
const march = { year: '2026', month: '3' };
const now = Date.parse('2026-11-23T08:00:00Z');

const usual = {
  'projection.year.type': 'integer',
  'projection.year.range': '2020,2030',
  'projection.month.type': 'integer',
  'projection.month.range': '1,12',
};

function table(changes: Record<string, string | undefined> = {}, monthType = 'string', extra: string[] = []) {
  const all: Record<string, string | undefined> = { ...usual, ...changes };
  const parameters = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return {
    location: home,
    partitionKeys: [
      ...extra.map((name) => ({ name, type: 'string' })),
      { name: 'year', type: 'string' },
      { name: 'month', type: monthType },
    ],
    projection: Object.fromEntries(parameters),
  };
}

const problems = (changes: Record<string, string | undefined>, month = november) =>
  projectionProblems(table(changes), report, month, now);

describe('partition projection', () => {
  it.each<[string, Record<string, string | undefined>]>([
    ['integers without digits', {}],
    ['a range with spaces and zeros', { 'projection.month.range': ' 01 , 12 ' }],
    ['an enum', { 'projection.month.type': 'enum', 'projection.month.values': '1,2,3,11,12' }],
    ['injected months', { 'projection.month.type': 'injected', 'projection.month.range': undefined }],
    ['types in capitals', { 'projection.year.type': 'INTEGER' }],
    [
      'years as dates up to now',
      { 'projection.year.type': 'date', 'projection.year.format': 'yyyy', 'projection.year.range': '2020,NOW' },
    ],
    [
      'years as dates ahead',
      {
        'projection.year.type': 'date',
        'projection.year.format': 'yyyy',
        'projection.year.range': 'NOW-3YEARS,NOW+1YEAR',
      },
    ],
    ['a template of its own', { 'storage.location.template': `${home}/year=\${year}/month=\${month}` }],
  ])('with %s has the newest month', (_, changes) => {
    expect(problems(changes)).toEqual([]);
  });

  it.each<[string, Record<string, string | undefined>, string]>([
    ['a range that ends earlier', { 'projection.year.range': '2020,2025' }, 'projection.year.range is 2020,2025'],
    ['a range without the month', { 'projection.month.range': '1,6' }, 'projection.month.range is 1,6'],
    ['an interval that skips it', { 'projection.month.interval': '3' }, 'projection.month.interval is 3'],
    [
      'an enum without it',
      { 'projection.month.type': 'enum', 'projection.month.values': '01,02' },
      'projection.month.values is 01,02',
    ],
    ['no type', { 'projection.month.type': undefined }, 'projection.month.type is missing'],
    ['an unknown type', { 'projection.month.type': 'number' }, 'projection.month.type is number'],
    ['no range', { 'projection.year.range': undefined }, 'projection.year.range is missing'],
    [
      'dates of another format',
      {
        'projection.month.type': 'date',
        'projection.month.format': 'yyyy-MM',
        'projection.month.range': '2020-01,NOW',
      },
      'projection.month.format is yyyy-MM',
    ],
    [
      'dates that end earlier',
      { 'projection.year.type': 'date', 'projection.year.format': 'yyyy', 'projection.year.range': '2020,2025' },
      'projection.year.range is 2020,2025',
    ],
    [
      'a template that leads elsewhere',
      { 'storage.location.template': 's3://bucket/old/${year}/${month}/' },
      'storage.location.template leads to s3://bucket/old/2026/11/, and AWS writes to s3://bucket/cur/daily/daily/year=2026/month=11/',
    ],
  ])('with %s leaves out the newest month', (_, changes, parameter) => {
    expect(problems(changes)).toEqual([expect.stringContaining(parameter)]);
  });

  it('with two digits has November and not March', () => {
    const padded = { 'projection.month.digits': '2' };
    expect(problems(padded)).toEqual([]);
    expect(problems(padded, march)).toEqual([expect.stringContaining('projection.month.digits is 2')]);
  });

  it('does not help a partition column that is a number', () => {
    expect(projectionProblems(table({}, 'int'), report, november, now)).toEqual([
      'its partition column month has the type int, and Kubecost compares it with text',
    ]);
  });

  it('needs no condition on a further column, unless it is injected', () => {
    const template = { 'storage.location.template': `${home}/year=\${year}/month=\${month}/` };
    const by = (type: string) =>
      projectionProblems(
        table({ ...template, 'projection.payer.type': type }, 'string', ['payer']),
        report,
        november,
        now,
      );
    expect(by('enum')).toEqual([]);
    expect(by('injected')).toEqual([expect.stringContaining('projection.payer.type is injected')]);
  });

  it('names the first later month that it leaves out', () => {
    expect(firstUncoveredMonth(table(), report, november, now)).toBeUndefined();
    expect(firstUncoveredMonth(table({ 'projection.month.digits': '2' }), report, november, now)).toMatchObject({
      month: { year: '2027', month: '1' },
    });
    expect(firstUncoveredMonth(table({ 'projection.year.range': '2020,2026' }), report, november, now)).toMatchObject({
      month: { year: '2027', month: '1' },
      problem: expect.stringContaining('projection.year.range') as string,
    });
  });

  it('never fails on a format of others', () => {
    const hostile = {
      'projection.year.type': 'date',
      'projection.year.format': '(((yyyy[',
      'projection.year.range': '2020',
    };
    expect(problems(hostile)).toHaveLength(1);
  });
});
