// Vitest runs this file before each test file, and its imports once in each process.
import './process-setup.ts';
