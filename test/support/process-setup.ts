import * as fc from 'fast-check';
import { useDirectTable } from './direct-table.ts';
import { useInProcessHttp } from './in-process-http.ts';
import { muteLogs } from './mute-logs.ts';
import { useNominalSignatures } from './nominal-signature.ts';
import { seedChanceOfProcess } from './seeded-chance.ts';

useInProcessHttp();
useDirectTable();
useNominalSignatures();
seedChanceOfProcess();

// Tests that read log lines use log-lines.ts.
muteLogs();

// A failing property shrinks for at most four minutes; a property that takes longer fails.
fc.installGlobalPlugin(fc.interruptAfterTimeLimit(240_000, { failOnInterrupt: true }));
