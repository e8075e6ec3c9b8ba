import { buildFunctions, bundleFolder } from '../functions/deployment/bundles.ts';
import { deployedFunctions } from '../functions/deployment/registry.ts';

await buildFunctions();
console.log(`${deployedFunctions.length} functions bundled into ${bundleFolder}/`);
