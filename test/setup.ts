import { muteLogs } from './quiet.ts';

// Tests that read log lines listen on their own.
muteLogs();
