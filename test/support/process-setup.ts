import * as fc from 'fast-check';
import { muteLogs } from './mute-logs.ts';

// Tests that read log lines use log-lines.ts.
muteLogs();

// A failing property shrinks for at most 90 seconds; a property that takes longer fails.
fc.installGlobalPlugin(fc.interruptAfterTimeLimit(90_000, { failOnInterrupt: true }));
