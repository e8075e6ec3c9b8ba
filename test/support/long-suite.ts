/** `npm run test:long` takes whole fleets where `npm test` takes a few of each kind, and compares the sandbox with other people's programs. */
export const isLongSuite = process.env.LONG_SUITE === '1';
