/** Who has to act on a failure. */
export type Actor = 'nobody' | 'caller' | 'payer account owner' | 'cluster owner' | 'operator';

interface Advice {
  title: string;
  actor: Actor;
  remedy: string;
}

function advice<const Codes extends Record<string, Advice>>(codes: Codes): Codes {
  return codes;
}

/** Every failure a user can meet. Codes are stable: they appear in runs, problem documents and docs/errors.md. */
export const errorCatalogue = advice({
  // Requests
  'invalid-request': {
    title: 'The request is not valid',
    actor: 'caller',
    remedy: 'Correct every listed problem and send the request again.',
  },
  'idempotency-key-reused': {
    title: 'The idempotency key belongs to another request',
    actor: 'caller',
    remedy: 'Use a new Idempotency-Key, or send the very body the key was first used with.',
  },
  'run-active': {
    title: 'A run for this payer and target is active',
    actor: 'caller',
    remedy: 'Follow the linked run; start another one when it has ended.',
  },
  'target-differs': {
    title: 'The target is already set up another way',
    actor: 'caller',
    remedy:
      'Use the identity mode, service account and format that the first run for this cluster, namespace and secret used. Left open, the service account follows the installed workload and the format the file.',
  },
  'run-not-retryable': {
    title: 'The run cannot be retried',
    actor: 'caller',
    remedy: 'The message says why; a run that has ended its work is repeated by starting a new one.',
  },
  'run-ended': {
    title: 'The run has ended',
    actor: 'caller',
    remedy: 'There is nothing to cancel; an offboarding removes what the run has made.',
  },
  'batch-not-found': {
    title: 'No such batch',
    actor: 'caller',
    remedy: 'Check the batch id; each run that a batch has started links to it.',
  },
  'batch-ended': {
    title: 'The batch has ended',
    actor: 'caller',
    remedy: 'Retry the batch to take up again what failed or was cancelled; send a new batch for anything else.',
  },
  'batch-not-retryable': {
    title: 'The batch cannot be retried',
    actor: 'caller',
    remedy: 'The message says why; a cancelled batch can be retried once its endedAt is set.',
  },
  'run-not-found': { title: 'No such run', actor: 'caller', remedy: 'Check the run id; GET /v1/runs lists the runs.' },

  // Everywhere
  throttled: { title: 'AWS throttled the calls for too long', actor: 'nobody', remedy: 'Start the run again later.' },
  'aws-unavailable': { title: 'An AWS service did not answer', actor: 'nobody', remedy: 'Start the run again later.' },
  'run-queue-overdue': {
    title: 'The run waited too long for other runs',
    actor: 'caller',
    remedy: 'Start the run again when fewer runs are active for this payer account and this cluster.',
  },
  'access-denied': {
    title: 'A permission is missing',
    actor: 'payer account owner',
    remedy:
      'Deploy the provisioner role again from the current access template (npm run access-templates); look for service control policies that deny the named action.',
  },
  unexpected: {
    title: 'An answer we do not know yet',
    actor: 'operator',
    remedy: 'Report the step, the message and the run id; the run can be started again.',
  },
  'record-unreadable': {
    title: 'A record in the table cannot be read',
    actor: 'operator',
    remedy:
      'The message or the log names the item and the fields. Restore the item from a backup of the table, or deploy the release that wrote it; then start the run again.',
  },
  'step-crashed': {
    title: 'A step ended without an answer',
    actor: 'operator',
    remedy: 'Look at the log lines of the run id; the run can be started again.',
  },
  'execution-stopped': {
    title: 'The execution was stopped from outside',
    actor: 'operator',
    remedy: 'Start the run again; finished steps only look.',
  },
  'stale-attempt': {
    title: 'The run has ended or a newer attempt took over',
    actor: 'nobody',
    remedy: 'Nothing to do: this attempt stopped without writing.',
  },
  'change-does-not-hold': {
    title: 'A change was made but does not stay',
    actor: 'operator',
    remedy:
      'Something else keeps undoing the change (infrastructure as code, a policy engine); stop that for the named resource and start the run again.',
  },
  'owned-by-another-deployment': {
    title: 'The resource belongs to another deployment of this tool',
    actor: 'caller',
    remedy: 'Use the deployment whose id is named, or offboard there first.',
  },

  // preflight
  'payer-access-denied': {
    title: 'The payer account cannot be entered',
    actor: 'payer account owner',
    remedy:
      'Deploy the payer provisioner role (docs/access/payer-provisioner.yaml) in the payer account, with this deployment’s id and hub account.',
  },
  'cluster-access-denied': {
    title: 'The cluster account cannot be entered',
    actor: 'cluster owner',
    remedy:
      'Deploy the cluster provisioner role (docs/access/cluster-provisioner.yaml) in the cluster account, with this deployment’s id and hub account.',
  },
  'preflight-failed': {
    title: 'Several things stand in the way',
    actor: 'caller',
    remedy: 'Mend every point of the message and start the run again.',
  },
  'payer-is-member-account': {
    title: 'The account is a member account of an organisation',
    actor: 'caller',
    remedy: 'Name the management account, or set allowMemberAccount: its report then covers that one account only.',
  },
  'billing-access-not-activated': {
    title: 'IAM access to billing is not activated, or cur: actions are denied',
    actor: 'payer account owner',
    remedy:
      'As the root user of the payer account, activate “IAM user and role access to Billing information” in the account settings, and check that no service control policy denies cur:*.',
  },
  'region-not-supported': {
    title: 'CUR cannot deliver to this region',
    actor: 'caller',
    remedy: 'Choose report.region from the list in the API description.',
  },
  'cluster-not-found': {
    title: 'No such EKS cluster',
    actor: 'caller',
    remedy: 'Check account, region and name of the cluster.',
  },
  'cluster-not-active': {
    title: 'The cluster is not ACTIVE',
    actor: 'cluster owner',
    remedy: 'Wait until the cluster is ACTIVE and start the run again.',
  },
  'cluster-auth-mode': {
    title: 'The cluster does not accept access entries',
    actor: 'cluster owner',
    remedy:
      'Set the authentication mode to API_AND_CONFIG_MAP (one way), then start the run again; a mapping in the aws-auth config map is not supported.',
  },
  'cluster-endpoint-private': {
    title: 'The cluster has no public endpoint',
    actor: 'cluster owner',
    remedy:
      'Enable the public endpoint for the hub’s addresses, or deploy the hub with vpcSubnetIds and vpcSecurityGroupIds in a network that reaches the private one.',
  },
  'cluster-endpoint-not-allowed': {
    title: 'The cluster’s endpoint is outside the allowed host names',
    actor: 'operator',
    remedy: 'Add the host suffix to the deployment parameter allowedHostSuffixes if the cluster is to be trusted.',
  },
  'cluster-unreachable': {
    title: 'The cluster’s endpoint does not answer',
    actor: 'cluster owner',
    remedy: 'Check publicAccessCidrs and the network path from the hub to the endpoint.',
  },
  'namespace-not-allowed': {
    title: 'The namespace is not on the allow list',
    actor: 'operator',
    remedy: 'Use an allowed namespace, or extend the deployment parameter allowedNamespaces.',
  },

  // Billing
  'no-usable-report': {
    title: 'No existing report can be adopted',
    actor: 'caller',
    remedy: 'Read the reasons in the message; use report.mode adopt-or-create to have a report made.',
  },
  'report-limit-reached': {
    title: 'The account holds as many reports as AWS allows',
    actor: 'payer account owner',
    remedy: 'Delete a report nobody uses, or adopt a usable one.',
  },
  'report-differs': {
    title: 'A report of this name has other settings',
    actor: 'caller',
    remedy:
      'Choose another report.name: a report’s settings cannot be changed, and re-creating one under its name corrupts its data.',
  },
  'bucket-not-ours': {
    title: 'The bucket exists and is not ours',
    actor: 'caller',
    remedy: 'Choose another bucket name, or adopt the existing report with report.mode adopt.',
  },
  'bucket-name-taken': {
    title: 'Another AWS account owns a bucket of this name',
    actor: 'caller',
    remedy: 'Choose another bucket name.',
  },
  'bucket-in-other-region': {
    title: 'The bucket is in another region',
    actor: 'caller',
    remedy: 'Use the bucket’s own region as report.region, or another bucket.',
  },
  'bucket-policy-rejected': {
    title: 'AWS cannot verify its permission on the bucket',
    actor: 'payer account owner',
    remedy:
      'Look for a deny statement in the bucket policy or a control policy that keeps billingreports.amazonaws.com out.',
  },
  'adopted-bucket-broken': {
    title: 'The adopted report’s bucket does not let AWS deliver',
    actor: 'payer account owner',
    remedy: 'Repair the bucket policy as the Billing console proposes it; adopted buckets are never changed by us.',
  },
  'bucket-not-emptied': {
    title: 'The bucket does not become empty',
    actor: 'payer account owner',
    remedy:
      'Find out what keeps writing to it; where it only holds more than a day of deleting takes away, let a lifecycle rule expire the objects. Then start the offboarding again.',
  },
  'report-name-purged': {
    title: 'A report of this name was purged',
    actor: 'caller',
    remedy:
      'Choose another report.name, or leave it out: a new report under the name of a deleted one may corrupt its data (CUR User Guide).',
  },
  'delivery-failed': {
    title: 'AWS reports that it cannot deliver',
    actor: 'payer account owner',
    remedy: 'Repair the bucket or its policy; AWS tries again at its next delivery. Then start the run again.',
  },
  'delivery-overdue': {
    title: 'AWS delivered nothing before the deadline',
    actor: 'payer account owner',
    remedy:
      'Check the report in the Billing console; start the run again with a longer wait.deadlineHours if it is still being prepared.',
  },
  'crawler-template-not-trusted': {
    title: 'The crawler template is not what AWS writes',
    actor: 'payer account owner',
    remedy: 'Find out who changed crawler-cfn.yml; use crawler: native to set up the table without it.',
  },
  'crawler-template-unusable': {
    title: 'The crawler template cannot be deployed here',
    actor: 'caller',
    remedy: 'Use crawler: auto or native: the same table without Lambda functions.',
  },
  'crawler-stack-failed': {
    title: 'The crawler stack failed',
    actor: 'payer account owner',
    remedy: 'The message names the first resource that failed and why; mend that and start the run again.',
  },
  'crawler-stack-not-ours': {
    title: 'A stack of this name exists and is not ours',
    actor: 'payer account owner',
    remedy: 'Finish, repair or delete that stack, then start the run again.',
  },
  'crawler-stack-not-removed': {
    title: 'CloudFormation cannot delete the crawler stack',
    actor: 'payer account owner',
    remedy:
      'Mend what the message names (a bucket that is gone: delete the stack in the console and retain that resource; termination protection: switch it off), then start the offboarding again.',
  },
  'lake-formation-locked': {
    title: 'Lake Formation keeps IAM permissions from working',
    actor: 'payer account owner',
    remedy:
      'Grant the provisioner role, the crawler role and the payer role on the database in Lake Formation, or allow IAMAllowedPrincipals as default.',
  },
  'crawl-failed': {
    title: 'The crawler failed',
    actor: 'payer account owner',
    remedy: 'The message holds the crawler’s own words; mend that and start the run again.',
  },
  'table-not-found': {
    title: 'No table appeared for the report',
    actor: 'payer account owner',
    remedy:
      'Look at the crawler’s last run; the table must lie under the report’s path with partitions year and month.',
  },
  'table-ambiguous': {
    title: 'More than one table holds the report',
    actor: 'payer account owner',
    remedy:
      'Remove the tables that another crawler made under the report’s path, or let only one have partitions year and month.',
  },

  // Query
  'results-in-cur-bucket': {
    title: 'Query results would land in the report’s bucket',
    actor: 'caller',
    remedy: 'Name another athena.resultsBucket or athena.workgroup: results under the report would be crawled.',
  },
  'workgroup-managed-results': {
    title: 'The workgroup keeps results in Athena’s own storage',
    actor: 'caller',
    remedy: 'Name another athena.workgroup: Kubecost always sends an output location, which such a workgroup refuses.',
  },
  'workgroup-location-differs': {
    title: 'The workgroup writes its results elsewhere',
    actor: 'caller',
    remedy: 'Leave athena.resultsBucket out to use the workgroup’s location, or name a dedicated athena.workgroup.',
  },
  'workgroup-disabled': {
    title: 'The workgroup is disabled',
    actor: 'payer account owner',
    remedy: 'Enable the workgroup or name another one.',
  },

  // Access
  'namespace-missing': {
    title: 'The namespace is missing and may not be made',
    actor: 'cluster owner',
    remedy: 'Create the namespace, or send kubecost.createNamespace: true, then start the run again.',
  },
  'cluster-setup-denied': {
    title: 'Our role may not set itself up in the cluster',
    actor: 'cluster owner',
    remedy:
      'Apply the manifest from GET /v1/runs/{runId}/artifacts (or docs/access/cluster-manifest.yaml), create the access entry of the provisioner role with the Kubernetes group kubecost-payer-onboarding, and start the run again; or allow the role the named action.',
  },
  'admission-denied': {
    title: 'A policy of the cluster rejects an object we need',
    actor: 'cluster owner',
    remedy:
      'The message holds the policy’s own words: exempt the object, or apply it yourself from GET /v1/runs/{runId}/artifacts, then start the run again.',
  },
  'access-entry-not-ours': {
    title: 'The provisioner role has an access entry with other groups',
    actor: 'cluster owner',
    remedy: 'Add the Kubernetes group kubecost-payer-onboarding to that entry, or delete it.',
  },
  'cluster-rights-missing': {
    title: 'The rights in the cluster do not become effective',
    actor: 'cluster owner',
    remedy:
      'Check the access entry, Role and RoleBinding kubecost-payer-onboarding; a re-created IAM role needs a new access entry.',
  },
  'namespace-stuck': {
    title: 'The namespace does not go away',
    actor: 'cluster owner',
    remedy:
      'Look at its conditions (kubectl get namespace <name> -o yaml): a finalizer, or an API service that does not answer, holds it. Then retry the run.',
  },
  'service-account-missing': {
    title: 'The service account does not exist',
    actor: 'cluster owner',
    remedy: 'Create it, or set identity.serviceAccount.create.',
  },
  'service-account-differs': {
    title: 'The workload runs as another service account',
    actor: 'caller',
    remedy: 'Request the workload’s own service account, or change the workload.',
  },
  'pod-identity-not-supported': {
    title: 'The installed Kubecost does not know EKS Pod Identity',
    actor: 'caller',
    remedy: 'Use identity.mode irsa, or upgrade Kubecost to 2.2 or later and start the run again.',
  },
  'consumer-crashes-on-file': {
    title: 'The installed OpenCost crashes on any cloud-integration.json',
    actor: 'cluster owner',
    remedy: 'Install another release than OpenCost 1.121.2 (opencost#4029), then start the run again.',
  },
  'service-account-subject-mismatch': {
    title: 'The pod role trusts another service account',
    actor: 'cluster owner',
    remedy:
      'Set the subject in the role’s trust policy to the named service account, or send existing: take-over to have it added.',
  },
  'pod-role-not-ours': {
    title: 'The service account already has a role we did not make',
    actor: 'caller',
    remedy: 'Send existing: take-over to use and complete that role in place.',
  },
  'tag-session-missing': {
    title: 'sts:TagSession is not allowed',
    actor: 'payer account owner',
    remedy:
      'EKS Pod Identity sends session tags: allow sts:TagSession beside sts:AssumeRole in the named trust policy, or send existing: take-over to have it added.',
  },
  'pod-identity-agent-missing': {
    title: 'EKS Pod Identity is not available in the cluster',
    actor: 'cluster owner',
    remedy: 'Install the add-on eks-pod-identity-agent, or use identity.mode irsa.',
  },
  'association-not-ours': {
    title: 'The service account has a Pod Identity association we did not make',
    actor: 'caller',
    remedy: 'Send existing: take-over to use and complete the association’s role in place.',
  },
  'payer-role-not-ours': {
    title: 'The payer role exists and is not ours',
    actor: 'caller',
    remedy: 'Send existing: take-over to have the role completed in place.',
  },
  'payer-role-full': {
    title: 'The payer role’s trust policy cannot hold another pod role',
    actor: 'payer account owner',
    remedy: 'Remove statements or roles nobody uses from the trust policy of the named role, or offboard a cluster.',
  },
  'pod-policy-not-ours': {
    title: 'The pod’s policy exists and is not ours',
    actor: 'caller',
    remedy: 'Delete the named policy, or send existing: take-over to have it completed in place.',
  },
  'target-full': {
    title: 'The pod’s policies cannot hold another payer',
    actor: 'operator',
    remedy:
      'Use another cluster for further payers, or detach policies from the pod’s role that it does not need: a role may have ten.',
  },
  'web-identity-denied': {
    title: 'The pod cannot take on its role',
    actor: 'cluster owner',
    remedy: 'Check the OIDC provider and the trust policy of the pod role for the named service account.',
  },
  'payer-role-denied': {
    title: 'The pod role cannot take on the payer role',
    actor: 'payer account owner',
    remedy:
      'Check the payer role’s trust policy and the pod role’s policies, and look for service control policies that deny sts:AssumeRole.',
  },

  // Secret
  'secret-unparsable': {
    title: 'The cluster’s file is not one the consumer accepts',
    actor: 'cluster owner',
    remedy:
      'Repair cloud-integration.json at the named place; it is neither changed nor overwritten by us, since one bad entry takes every cloud down.',
  },
  'secret-format-differs': {
    title: 'The file has the other format',
    actor: 'caller',
    remedy: 'Send kubecost.format auto: files are never converted.',
  },
  'secret-owned-elsewhere': {
    title: 'The secret belongs to Helm or a GitOps tool',
    actor: 'cluster owner',
    remedy:
      'Start again with kubecost.publish: artifacts and put the entry from GET /v1/runs/{runId}/artifacts where the secret comes from; or use a secret of another name.',
  },
  'secret-rejected': {
    title: 'An admission policy of the cluster rejects the secret',
    actor: 'cluster owner',
    remedy:
      'The message holds the policy’s own words: exempt the secret from it, or start again with kubecost.publish: artifacts and make the secret the way the policy asks for.',
  },
  'secret-immutable': {
    title: 'The secret is immutable',
    actor: 'cluster owner',
    remedy: 'Replace it by a mutable one or use another secret name.',
  },
  'payer-already-integrated': {
    title: 'The payer is already in the file under another key',
    actor: 'caller',
    remedy:
      'Remove that entry, or send existing: take-over to replace it in place: two entries would count the payer’s cost twice.',
  },
  'entry-not-ours': {
    title: 'The payer’s entry exists and was made by hand',
    actor: 'caller',
    remedy: 'Send existing: take-over to replace it in place.',
  },

  'entry-still-there': {
    title: 'The payer’s entry stands in a file that is not ours to edit',
    actor: 'cluster owner',
    remedy:
      'Take the named entry out where the secret comes from (Helm values, GitOps repository, whoever wrote it by hand), then retry the run: nothing that the entry works through has been removed yet.',
  },
  'entry-still-loaded': {
    title: 'The consumer does not let go of the entry',
    actor: 'cluster owner',
    remedy:
      'Look why the named workload’s pods keep the file as it was (kubectl rollout status), restart it, then retry the run: nothing that the entry works through has been removed yet.',
  },

  // Proofs
  'query-failed': {
    title: 'The smoke query failed',
    actor: 'payer account owner',
    remedy: 'The message holds Athena’s own words; mend the named permission, table or location.',
  },
  'query-overdue': { title: 'The smoke query did not finish', actor: 'nobody', remedy: 'Start the run again later.' },

  // The consumer
  'entry-lost': {
    title: 'The published entry is no longer in the file',
    actor: 'cluster owner',
    remedy:
      'Find out what writes the secret beside us (a Helm upgrade, a GitOps tool, a script) and start the run again; or use kubecost.publish: artifacts.',
  },
  'rollout-failed': {
    title: 'The workload does not come up',
    actor: 'cluster owner',
    remedy: 'The message holds the pod’s own words; mend that, then start the run again.',
  },
  'consumer-crashes': {
    title: 'The container that reads the file crashes',
    actor: 'cluster owner',
    remedy:
      'Read its log with kubectl logs --previous. OpenCost 1.121.2 crashes on any file, other releases on a null in a list of it. Mend that, then start the run again.',
  },
  'pod-without-credentials': {
    title: 'The pod did not get the role’s credentials',
    actor: 'cluster owner',
    remedy:
      'Credentials are injected when a pod is made: check the pod identity webhook or agent and the service account’s annotation or association, restart the workload, then start the run again.',
  },
  'consumer-not-reading': {
    title: 'The consumer did not take the entry up',
    actor: 'cluster owner',
    remedy:
      'Look for “MultiCloudWatcher” in the container’s log, check that its CONFIG_PATH is where the secret is mounted, restart the workload, then start the run again.',
  },
  'consumer-refuses-entry': {
    title: 'The consumer finds the entry invalid',
    actor: 'cluster owner',
    remedy: 'Compare the entry with the documents of the installed release, or upgrade it; then start the run again.',
  },
  'cloud-cost-disabled': {
    title: 'Cloud costs are switched off in the consumer',
    actor: 'cluster owner',
    remedy:
      'Set opencost.cloudCost.enabled=true (OpenCost needs it beside the secret’s name), or enable cloud costs in Kubecost’s values; then start the run again.',
  },
  'connection-failed': {
    title: 'The consumer’s queries fail',
    actor: 'payer account owner',
    remedy:
      'The message holds the consumer’s own words; Athena’s query history in the payer account may say more. Mend that, restart the workload (it tries again only every 6 hours), then start the run again.',
  },
  'connection-data-missing': {
    title: 'The consumer’s queries return no rows',
    actor: 'payer account owner',
    remedy:
      'Check that the entry’s table has partitions year and month of the last days (months without a leading zero) and rows in them; then start the run again.',
  },
});

export type ErrorCode = keyof typeof errorCatalogue;
