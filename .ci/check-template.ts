import { readFile } from 'node:fs/promises';
import { templateProblems } from '../functions/deployment/template-check.ts';

const file = '.serverless/cloudformation-template-update-stack.json';
const problems = templateProblems(JSON.parse(await readFile(file, 'utf8')));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${file} agrees with AWS's specification and our own rules`);
