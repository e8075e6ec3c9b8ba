import type {
  Crawler as CrawlerDescription,
  CreateCrawlerCommandInput,
  DeleteCrawlerCommandInput,
  GetCrawlerCommandInput,
  GetCrawlerMetricsCommandInput,
  GetCrawlersCommandInput,
  StartCrawlerCommandInput,
  UpdateCrawlerCommandInput,
} from '@aws-sdk/client-glue';
import { AwsError, type CallContext, operation, type Permission } from '../../service.ts';
import type { World } from '../../world.ts';
import { startCrawl } from './crawl.ts';
import { checkName, type Crawler, glueArn } from './state.ts';

export const crawlerOperations = {
  CreateCrawler: operation<CreateCrawlerCommandInput, object>({
    writes: true,
    permissions: ({ Name, Role, Tags }, cx) => [
      onCrawler(cx, 'CreateCrawler', Name),
      passRole(cx, Role),
      ...(Tags ? [onCrawler(cx, 'TagResource', Name)] : []),
    ],
    run(input, cx) {
      const catalog = cx.world.glue.catalog(cx.caller.accountId, cx.region);
      const { Name: name = '', Tags: tags, ...settings } = input;
      if (catalog.crawlers.has(name))
        throw new AwsError('AlreadyExistsException', `Crawler with name ${name} already exists`);
      checkRole(settings.Role, cx);
      checkRecrawl(input);
      const crawler: Crawler = {
        name,
        accountId: cx.caller.accountId,
        region: cx.region,
        settings: { ...settings, Name: name },
        state: 'READY',
        createdAt: cx.now,
        updatedAt: cx.now,
        lastRuntimeSeconds: 0,
        created: 0,
        updated: 0,
        deleted: 0,
        unschedule: () => undefined,
      };
      schedule(cx.world, crawler);
      catalog.crawlers.set(name, crawler);
      if (tags) catalog.tags.set(glueArn(cx, `crawler/${name}`), tags);
      return {};
    },
  }),

  GetCrawler: operation<GetCrawlerCommandInput, object>({
    writes: false,
    permissions: ({ Name }, cx) => [onCrawler(cx, 'GetCrawler', Name)],
    run: ({ Name }, cx) => ({ Crawler: described(find(cx, Name), cx) }),
  }),

  GetCrawlers: operation<GetCrawlersCommandInput, object>({
    writes: false,
    permissions: () => [{ action: 'glue:GetCrawlers', resources: ['*'] }],
    run({ NextToken = '0', MaxResults = 100 }, cx) {
      const all = [...cx.world.glue.catalog(cx.caller.accountId, cx.region).crawlers.values()];
      const end = Number(NextToken) + MaxResults;
      return {
        Crawlers: all.slice(Number(NextToken), end).map((crawler) => described(crawler, cx)),
        ...(end < all.length && { NextToken: String(end) }),
      };
    },
  }),

  StartCrawler: operation<StartCrawlerCommandInput, object>({
    writes: true,
    permissions: ({ Name }, cx) => [onCrawler(cx, 'StartCrawler', Name)],
    run({ Name }, cx) {
      const crawler = find(cx, Name);
      checkIdle(crawler, 'has already started');
      startCrawl(cx.world, crawler);
      return {};
    },
  }),

  UpdateCrawler: operation<UpdateCrawlerCommandInput, object>({
    writes: true,
    permissions: ({ Name, Role }, cx) => [onCrawler(cx, 'UpdateCrawler', Name), ...(Role ? [passRole(cx, Role)] : [])],
    run(input, cx) {
      const crawler = find(cx, input.Name);
      checkIdle(crawler, 'is running');
      if (input.Role) checkRole(input.Role, cx);
      const given = Object.entries(input).filter(([, value]) => value !== undefined);
      crawler.settings = { ...crawler.settings, ...(Object.fromEntries(given) as typeof crawler.settings) };
      crawler.updatedAt = cx.now;
      schedule(cx.world, crawler);
      return {};
    },
  }),

  DeleteCrawler: operation<DeleteCrawlerCommandInput, object>({
    writes: true,
    permissions: ({ Name }, cx) => [onCrawler(cx, 'DeleteCrawler', Name)],
    run({ Name }, cx) {
      const crawler = find(cx, Name);
      checkIdle(crawler, 'is running');
      crawler.unschedule();
      const { crawlers, tags } = cx.world.glue.catalog(cx.caller.accountId, cx.region);
      crawlers.delete(crawler.name);
      tags.delete(glueArn(cx, `crawler/${crawler.name}`));
      return {};
    },
  }),

  GetCrawlerMetrics: operation<GetCrawlerMetricsCommandInput, object>({
    writes: false,
    permissions: () => [{ action: 'glue:GetCrawlerMetrics', resources: ['*'] }],
    run({ CrawlerNameList: names }, { world, caller, region }) {
      const crawlers = [...world.glue.catalog(caller.accountId, region).crawlers.values()];
      return {
        CrawlerMetricsList: crawlers
          .filter(({ name }) => !names?.length || names.includes(name))
          .map((crawler) => ({
            CrawlerName: crawler.name,
            StillEstimating: crawler.state === 'RUNNING',
            LastRuntimeSeconds: crawler.lastRuntimeSeconds,
            MedianRuntimeSeconds: crawler.lastRuntimeSeconds,
            TablesCreated: crawler.created,
            TablesUpdated: crawler.updated,
            TablesDeleted: crawler.deleted,
          })),
      };
    },
  }),
};

/** Of Glue's resources, crawlers support conditions on their tags; databases and tables do not. */
function onCrawler(cx: CallContext, action: string, name = ''): Permission {
  const arn = glueArn(cx, `crawler/${name}`);
  const tags = cx.world.glue.catalog(cx.caller.accountId, cx.region).tags.get(arn) ?? {};
  const context = Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:ResourceTag/${key}`, value]));
  return { action: `glue:${action}`, resources: [arn], context };
}

function roleArn({ caller }: CallContext, role = ''): string {
  return role.startsWith('arn:') ? role : `arn:aws:iam::${caller.accountId}:role/${role}`;
}

function passRole(cx: CallContext, role: string | undefined): Permission {
  return {
    action: 'iam:PassRole',
    resources: [roleArn(cx, role)],
    context: { 'iam:PassedToService': 'glue.amazonaws.com' },
  };
}

function checkRole(role: string | undefined, cx: CallContext): void {
  if (!cx.world.iam.trusts(roleArn(cx, role), 'glue.amazonaws.com'))
    throw new AwsError(
      'InvalidInputException',
      `Service is unable to assume provided role. Please verify role's TrustPolicy`,
    );
}

function checkRecrawl({ RecrawlPolicy: recrawl, SchemaChangePolicy: change }: CreateCrawlerCommandInput): void {
  if (recrawl?.RecrawlBehavior !== 'CRAWL_NEW_FOLDERS_ONLY') return;
  if (change?.UpdateBehavior !== 'LOG' || change.DeleteBehavior !== 'LOG')
    throw new AwsError(
      'InvalidInputException',
      'The SchemaChangePolicy for "Crawl new folders only" Amazon S3 target can have only LOG DeleteBehavior value and LOG UpdateBehavior value.',
    );
}

function find({ world, caller, region }: CallContext, name = ''): Crawler {
  checkName(name);
  const crawler = world.glue.catalog(caller.accountId, region).crawlers.get(name);
  if (!crawler) throw new AwsError('EntityNotFoundException', `Crawler entry with name ${name} does not exist`);
  return crawler;
}

function checkIdle({ state, name }: Crawler, words: string): void {
  if (state !== 'READY') throw new AwsError('CrawlerRunningException', `Crawler with name ${name} ${words}`);
}

/** Minute and hours of `cron(M H * * ? *)`; an hour may be a number, a list, `*` or a step. */
function schedule(world: World, crawler: Crawler): void {
  crawler.unschedule();
  const expression = crawler.settings.Schedule;
  if (!expression) return;
  const [, minute, hour = ''] = /^cron\((\d{1,2}) ([\d,*/]+) \S+ \S+ \S+ \S+\)$/.exec(expression) ?? [];
  if (minute === undefined) throw new AwsError('InvalidInputException', `Invalid schedule expression: ${expression}`);
  const [start = '', step = start === '*' ? '1' : '24'] = hour.split('/');
  const hours = hour.includes(',')
    ? hour.split(',').map(Number)
    : Array.from({ length: 24 }, (_, h) => h).filter(
        (h) => h >= Number(start.replace('*', '0')) && (h - Number(start.replace('*', '0'))) % Number(step) === 0,
      );
  const next = () => {
    const now = world.clock.now();
    const date = new Date(now);
    const today = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
    const times = [0, 1].flatMap((day) => hours.map((h) => today + ((day * 24 + h) * 60 + Number(minute)) * 60_000));
    return Math.min(...times.filter((time) => time > now)) - now;
  };
  const plan = () => {
    crawler.unschedule = world.clock.after(next(), () => {
      if (crawler.state === 'READY') startCrawl(world, crawler);
      plan();
    });
  };
  plan();
}

function described(crawler: Crawler, { now }: CallContext): CrawlerDescription {
  const { Schedule: expression, ...settings } = crawler.settings;
  return {
    ...settings,
    State: crawler.state,
    CreationTime: new Date(crawler.createdAt),
    LastUpdated: new Date(crawler.updatedAt),
    CrawlElapsedTime: crawler.state === 'READY' ? 0 : now - (crawler.startedAt ?? now),
    ...(expression && { Schedule: { ScheduleExpression: expression, State: 'SCHEDULED' } }),
    ...(crawler.lastCrawl && { LastCrawl: crawler.lastCrawl }),
    Version: 1,
  };
}
