import type { Route } from '../../shared/http/route.ts';
import type { Rights } from '../../shared/model/function-rights.ts';

/** A function with what it may do: the source of its block in serverless.yml and of its role. */
export interface DeployedFunction extends Rights {
  /** Key in serverless.yml and folder in dist/. */
  key: string;
  /** Source file, whose `handler` is deployed. */
  entry: string;
  entersPayer?: true;
  entersCluster?: true;
  /** True if it calls the cluster's own API, and so runs in the VPC if there is one. */
  reachesCluster?: true;
  /** True if it puts transitions on the event bus. */
  publishesEvents?: true;
  /** Of a function that serves a route. */
  route?: Route;
  /** Other events that invoke it, as serverless.yml spells them. */
  events?: readonly object[];
}
