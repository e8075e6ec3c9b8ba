import { decodeDataFile, encodeDataFile, type World } from '../sandbox/index.ts';

/** Puts what AWS would deliver of the second kind into the bucket, made of the rows that the sandbox delivers of the first kind. */
export function deliverAsSecondKind(world: World, bucket: string, report: string, period: string): void {
  const root = `kubecost/${report}`;
  const [year = '', month = ''] = period.split('-');
  const folder = `${root}/${report}/year=${year}/month=${Number(month)}/`;
  const keys = world.s3.keys(bucket, folder).filter((key) => key.endsWith('.parquet'));
  const files = keys.map((key) =>
    decodeDataFile(world.s3.buckets.get(bucket)?.objects.get(key)?.body ?? Buffer.from('')),
  );
  for (const key of world.s3.keys(bucket, `${root}/`)) world.s3.buckets.get(bucket)?.objects.delete(key);
  const dataFiles = files.map(({ columns, rows }, index) => {
    const key = `${root}/data/BILLING_PERIOD=${period}/${report}-0000${index + 1}.snappy.parquet`;
    const plain = columns.flatMap(({ name }, at) => (name.startsWith('resource_tags_') ? [] : [at]));
    const content = {
      columns: [...plain.flatMap((at) => columns[at] ?? []), { name: 'resource_tags', type: 'map<string,string>' }],
      rows: rows.map((row) => [...plain.map((at) => row[at] ?? null), '{"user_team":"platform"}']),
    };
    world.s3.put(bucket, key, encodeDataFile(content));
    return { key, columns: content.columns };
  });
  const manifest = { dataFiles: dataFiles.map(({ key }) => key), columns: dataFiles[0]?.columns ?? [] };
  world.s3.put(bucket, `${root}/metadata/BILLING_PERIOD=${period}/${report}-Manifest.json`, JSON.stringify(manifest));
}
