declare module 'dynalite' {
  import type { Server } from 'node:http';

  interface Options {
    /** Milliseconds a table stays in CREATING. @default 500 */
    createTableMs?: number;
    /** Milliseconds a table stays in DELETING. @default 500 */
    deleteTableMs?: number;
    /** Milliseconds a table stays in UPDATING. @default 500 */
    updateTableMs?: number;
    /** @default 400 */
    maxItemSizeKb?: number;
    /** Directory of the LevelDB store; in memory without it. */
    path?: string;
  }

  export default function dynalite(options?: Options): Server;
}
