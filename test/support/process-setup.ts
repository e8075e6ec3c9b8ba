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

// Tests that read log lines listen on their own.
muteLogs();

// A property that fails is shrunk for minutes, not for hours; one that is too slow to come to its end fails.
fc.installGlobalPlugin(fc.interruptAfterTimeLimit(240_000, { failOnInterrupt: true }));
