import * as fc from 'fast-check';
import { useDirectTable } from './direct-table.ts';
import { useInProcessHttp } from './in-process-http.ts';
import { muteLogs } from './mute-logs.ts';
import { useNominalSignatures } from './nominal-signature.ts';
import { seedProcess } from './seeded-random.ts';

useInProcessHttp();
useDirectTable();
useNominalSignatures();
seedProcess();

// Tests that read log lines use log-lines.ts.
muteLogs();

// A failing property shrinks for at most four minutes; a property that takes longer fails.
fc.installGlobalPlugin(fc.interruptAfterTimeLimit(240_000, { failOnInterrupt: true }));
