import { randomInt } from 'node:crypto';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import { inspectCrawlerTemplate } from '../../shared/billing/crawler-template.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { crawlerTemplate, type ReportDefinition } from '../sandbox/index.ts';
import {
  drawHarmless,
  harmlessEdits,
  hostileEdits,
  hostileKinds,
  plausibleEdits,
  type TemplateEdit,
} from '../support/crawler-template-edits.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { PayerHarness } from '../support/payer-harness.ts';

const report = { reportName: 'Team-CUR', bucket: 'acme-billing', prefix: 'cur/daily' };
const place = { ...report, accountId: '111122223333', region: 'eu-west-1' };
const definition = { ReportName: 'Team-CUR', S3Bucket: 'acme-billing', S3Prefix: 'cur/daily' } as ReportDefinition;
const runtimes = ['nodejs16.x', 'nodejs18.x', 'nodejs22.x'];

/** The template of a runtime with one change. */
function changed({ name, edit }: TemplateEdit, runtime = 'nodejs22.x'): string {
  const template = crawlerTemplate(definition, runtime);
  const body = edit(template);
  expect(body, name).not.toBe(template);
  return body;
}

const spec = loadAwsServiceSpecSync();
const drawn = Array.from({ length: 200 }, () => drawHarmless(spec, (n) => randomInt(n)));

describe('AWS’s template with a change', () => {
  it.each(plausibleEdits)('is trusted with $name', (edit) => {
    for (const runtime of runtimes)
      expect(inspectCrawlerTemplate(changed(edit, runtime), place)).toMatchObject({ trusted: true });
  });

  it('is trusted with all fifteen changes together', () => {
    const body = plausibleEdits.reduce((text, { edit }) => edit(text), crawlerTemplate(definition, 'nodejs22.x'));
    expect(plausibleEdits).toHaveLength(15);
    expect(inspectCrawlerTemplate(body, place)).toMatchObject({ trusted: true });
  });

  it.each(harmlessEdits)('is trusted with $name', (edit) => {
    expect(inspectCrawlerTemplate(changed(edit), place)).toMatchObject({ trusted: true });
  });

  it('is trusted with two hundred harmless properties of CloudFormation’s specification', () => {
    for (const edit of drawn)
      expect([edit.name, inspectCrawlerTemplate(changed(edit), place)]).toEqual([
        edit.name,
        expect.objectContaining({ trusted: true }),
      ]);
  });

  it.each(Object.entries(hostileKinds))('is not trusted with %s', (_, edits) => {
    for (const edit of edits)
      expect([edit.name, inspectCrawlerTemplate(changed(edit), place).trusted]).toEqual([edit.name, false]);
  });

  it('is not trusted with two hundred mixtures of harmless and hostile changes', () => {
    for (const harmless of drawn) {
      const hostile = hostileEdits[randomInt(hostileEdits.length)] ?? never();
      const half = changed(harmless);
      // The harmless change may have replaced the place of the hostile one.
      const body = hostile.edit(half) === half ? changed(hostile) : hostile.edit(half);
      expect([harmless.name, hostile.name, inspectCrawlerTemplate(body, place).trusted]).toEqual([
        harmless.name,
        hostile.name,
        false,
      ]);
    }
  });

  it('is not trusted if it is nested too deeply', () => {
    for (const text of ['['.repeat(25_000), '{a: '.repeat(8_000), 'Resources: '.concat('- '.repeat(20_000))])
      expect(inspectCrawlerTemplate(text, place).trusted).toBe(false);
  });
});

describe('a run', () => {
  let billing: PayerHarness;
  beforeAll(async () => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    billing = await PayerHarness.open();
  });
  afterAll(async () => {
    await billing.stepHarness.close();
    vi.restoreAllMocks();
  });

  /** What the step makes of the template with one change. */
  async function chosen({ edit }: TemplateEdit) {
    const payer = billing.newPayer();
    billing.world.cur.templateEdits.set(payer, edit);
    const run = await billing.begin(payer);
    const { record } = await billing.takeTo('crawler-stack', run);
    await billing.endRuns();
    const stacks = [...billing.world.cloudformation.stacks.values()].filter(({ accountId }) => accountId === payer);
    expect(
      billing.world.s3.text(curBucketName(payer, 'us-east-1'), 'kubecost/kubecost_cur/crawler-cfn.yml'),
    ).toBeDefined();
    return { kind: outputs['crawler-stack'].parse(record.output).kind, stacks, warnings: record.warnings };
  }

  const some = <Item>(items: readonly Item[], count: number) => (isLongSuite ? items : items.slice(0, count));

  it.each(some(plausibleEdits, 15))('deploys AWS’s template with $name', async (edit) => {
    const { kind, stacks } = await chosen(edit);
    expect([kind, stacks.map(({ status }) => status)]).toEqual(['template', ['CREATE_COMPLETE']]);
  });

  it('deploys AWS’s template with a drawn property, or makes its own table', async () => {
    for (const edit of some(drawn, 12)) {
      const { kind, stacks, warnings } = await chosen(edit);
      const left = stacks.filter(({ status }) => status !== 'DELETE_COMPLETE');
      expect([edit.name, kind, left.length, warnings]).toEqual([
        edit.name,
        expect.stringMatching(/^(template|none)$/),
        kind === 'template' ? 1 : 0,
        [expect.any(String)],
      ]);
    }
  });

  it('never deploys a hostile template', async () => {
    for (const edit of some(
      hostileEdits.toSorted(() => Math.random() - 0.5),
      10,
    )) {
      const { kind, stacks } = await chosen(edit);
      expect([edit.name, kind, stacks]).toEqual([edit.name, 'none', []]);
    }
  });
});

function never(): never {
  throw new Error('nothing to draw from');
}
