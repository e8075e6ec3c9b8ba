/** `npm run test:long` takes whole fleets where `npm test` takes a few of each kind. */
export const isLongSuite = process.env.LONG_SUITE === '1';
