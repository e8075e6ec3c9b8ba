// Vitest runs this file before each test file, but what it imports once in a process that runs many.
import './process-setup.ts';
