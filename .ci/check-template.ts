import { readFile } from 'node:fs/promises';
import { type Template, templateProblems } from '../functions/deployment/template-check.ts';

const file = '.serverless/cloudformation-template-update-stack.json';
const template = JSON.parse(await readFile(file, 'utf8')) as Template;
const problems = templateProblems(template);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else
  console.log(`${Object.keys(template.Resources).length} resources agree with AWS's specification and our own rules`);
