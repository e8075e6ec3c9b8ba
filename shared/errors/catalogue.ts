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

/** Every failure that a user can see. Codes are stable: they appear in runs, problem documents and docs/errors.md. */
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
    remedy: 'Use a new Idempotency-Key, or repeat the body that was first sent with this key.',
  },
  'run-active': {
    title: 'A run for this payer and target is active',
    actor: 'caller',
    remedy: 'Follow the linked run. Start another run when it has ended.',
  },
  'target-differs': {
    title: 'The target is already set up with other settings',
    actor: 'caller',
    remedy:
      'Use the identity mode, service account and format of the first run for this cluster, namespace and secret. A request without a service account uses that of the installed workload; a request without a format uses that of the file.',
  },
  'run-not-retryable': {
    title: 'The run cannot be retried',
    actor: 'caller',
    remedy: 'The message gives the reason. To repeat a run that has succeeded, start a new run.',
  },
  'run-ended': {
    title: 'The run has ended',
    actor: 'caller',
    remedy: 'There is nothing to cancel. To remove what the run created, start an offboarding.',
  },
  'batch-not-found': {
    title: 'No such batch',
    actor: 'caller',
    remedy: 'Check the batch id. Each run of a batch links to its batch.',
  },
  'batch-ended': {
    title: 'The batch has ended',
    actor: 'caller',
    remedy: 'Retry the batch to repeat its failed and cancelled runs. Send a new batch for anything else.',
  },
  'batch-not-retryable': {
    title: 'The batch cannot be retried',
    actor: 'caller',
    remedy: 'The message gives the reason. A cancelled batch can be retried when its endedAt is set.',
  },
  'run-not-found': { title: 'No such run', actor: 'caller', remedy: 'Check the run id. GET /v1/runs lists the runs.' },

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
      'Deploy the provisioner role again from the current access template (npm run access-templates). Check that no service control policy denies the named action.',
  },
  'key-denied': {
    title: 'A KMS key may not be used',
    actor: 'payer account owner',
    remedy:
      'Add the key that the message names to the parameter KmsKeys of the access template. If the key is in another account, or its policy does not let the account’s IAM policies decide, its policy must also allow the account. A disabled key must be enabled. Then start the run again.',
  },
  unexpected: {
    title: 'Unexpected response',
    actor: 'operator',
    remedy: 'Report the step, the message and the run id. The run can be started again.',
  },
  'record-unreadable': {
    title: 'A record in the table cannot be read',
    actor: 'operator',
    remedy:
      'The message or the log names the item and the fields. Restore the item from a backup of the table, or deploy the release that wrote it; then start the run again.',
  },
  'step-crashed': {
    title: 'A step ended without a result',
    actor: 'operator',
    remedy: 'Read the log lines of this run id. The run can be started again.',
  },
  'execution-stopped': {
    title: 'The execution was stopped from outside',
    actor: 'operator',
    remedy: 'Start the run again. Finished steps only check their resources.',
  },
  'stale-attempt': {
    title: 'The run has ended or has a newer attempt',
    actor: 'nobody',
    remedy: 'No action is needed. This attempt stopped without writing.',
  },
  'change-does-not-hold': {
    title: 'A change is undone again and again',
    actor: 'operator',
    remedy:
      'Another tool undoes the change (infrastructure as code, a policy engine). Exclude the named resource from that tool, then start the run again.',
  },
  'owned-by-another-deployment': {
    title: 'The resource belongs to another deployment of this tool',
    actor: 'caller',
    remedy: 'Use the deployment that the message names, or offboard the payer there first.',
  },

  // preflight
  'payer-access-denied': {
    title: 'The payer account denies access',
    actor: 'payer account owner',
    remedy:
      'Deploy the payer provisioner role (docs/access/payer-provisioner.yaml) in the payer account, with the id and the account of this deployment.',
  },
  'cluster-access-denied': {
    title: 'The cluster account denies access',
    actor: 'cluster owner',
    remedy:
      'Deploy the cluster provisioner role (docs/access/cluster-provisioner.yaml) in the cluster account, with the id and the account of this deployment.',
  },
  'access-template-too-old': {
    title: 'The access template of the account is too old',
    actor: 'payer account owner',
    remedy:
      'Deploy docs/access/payer-provisioner.yaml of this release over the stack of the provisioner role. Its parameters keep their values. Then start the run again.',
  },
  'access-parameter-differs': {
    title: 'A parameter of the access template does not allow what the run needs',
    actor: 'payer account owner',
    remedy:
      'Update the stack of the provisioner role with the parameter value that the message names, or send a request that stays within it. Then start the run again.',
  },
  'preflight-failed': {
    title: 'Several checks failed',
    actor: 'caller',
    remedy: 'Correct every problem that the message names, then start the run again.',
  },
  'payer-is-member-account': {
    title: 'The account is a member account of an organisation',
    actor: 'caller',
    remedy:
      'Send the id of the management account, or set allowMemberAccount. The report of a member account covers that account only.',
  },
  'billing-access-not-activated': {
    title: 'IAM access to billing is not activated, or cur: actions are denied',
    actor: 'payer account owner',
    remedy:
      'As the root user of the payer account, activate “IAM user and role access to Billing information” in the account settings. Check that no service control policy denies cur:*.',
  },
  'region-not-supported': {
    title: 'CUR cannot deliver to this region',
    actor: 'caller',
    remedy: 'Choose a report.region from the list in the API description.',
  },
  'cluster-not-found': {
    title: 'No such EKS cluster',
    actor: 'caller',
    remedy: 'Check the account, the region and the name of the cluster.',
  },
  'cluster-not-active': {
    title: 'The cluster is not ACTIVE',
    actor: 'cluster owner',
    remedy: 'Wait until the cluster is ACTIVE, then start the run again.',
  },
  'cluster-auth-mode': {
    title: 'The cluster does not accept access entries',
    actor: 'cluster owner',
    remedy:
      'Set the authentication mode to API_AND_CONFIG_MAP (this cannot be undone), then start the run again. A mapping in the aws-auth config map is not supported.',
  },
  'cluster-endpoint-private': {
    title: 'The cluster has no public endpoint',
    actor: 'cluster owner',
    remedy:
      'Enable the public endpoint for the addresses of the deployment, or deploy with vpcSubnetIds and vpcSecurityGroupIds in a network that reaches the private endpoint.',
  },
  'cluster-endpoint-not-allowed': {
    title: 'The host name of the cluster endpoint is not allowed',
    actor: 'operator',
    remedy: 'If you trust the cluster, add its host suffix to the deployment parameter allowedHostSuffixes.',
  },
  'cluster-unreachable': {
    title: 'The cluster endpoint does not answer',
    actor: 'cluster owner',
    remedy: 'Check publicAccessCidrs and the network path from the deployment to the endpoint.',
  },
  'namespace-not-allowed': {
    title: 'The namespace is not on the allow list',
    actor: 'operator',
    remedy: 'Use an allowed namespace, or add this one to the deployment parameter allowedNamespaces.',
  },

  // Billing
  'no-usable-report': {
    title: 'No existing report can be adopted',
    actor: 'caller',
    remedy:
      'The message gives the reason for each report. To have a new report created, use report.mode adopt-or-create.',
  },
  'report-limit-reached': {
    title: 'The account has as many reports as AWS allows',
    actor: 'payer account owner',
    remedy: 'Delete an unused report, or adopt a usable one.',
  },
  'report-not-allowed': {
    title: 'AWS does not let this account create a Cost and Usage Report',
    actor: 'payer account owner',
    remedy:
      'Open a case with AWS Support (Account and billing) from the payer account: ask AWS to let it create legacy Cost and Usage Reports with PutReportDefinition, and quote the answer of AWS in the message. If the bill of the account goes to another organisation (billing transfer), its reports are made there. An existing report can be used with report.mode adopt.',
  },
  'report-arguments-rejected': {
    title: 'AWS rejects the settings of the new report',
    actor: 'caller',
    remedy: 'Correct the field of report that the message names, then send the request again.',
  },
  'report-differs': {
    title: 'A report with this name has other settings',
    actor: 'caller',
    remedy:
      'Choose another report.name. The settings of a report cannot be changed, and a new report with the name of a deleted one corrupts its data.',
  },
  'bucket-not-ours': {
    title: 'The bucket exists and is not ours',
    actor: 'caller',
    remedy: 'Choose another bucket name, or adopt the existing report with report.mode adopt.',
  },
  'bucket-name-taken': {
    title: 'Another AWS account owns a bucket with this name',
    actor: 'caller',
    remedy: 'Choose another bucket name, or leave it out: the default name has a second form for this case.',
  },
  'bucket-in-other-region': {
    title: 'The bucket is in another region',
    actor: 'caller',
    remedy: 'Set report.region to the region of the bucket, or choose another bucket.',
  },
  'bucket-policy-rejected': {
    title: 'AWS cannot verify that it may write to the bucket',
    actor: 'payer account owner',
    remedy:
      'Check that no statement of the bucket policy and no control policy denies access to billingreports.amazonaws.com.',
  },
  'adopted-bucket-broken': {
    title: 'The bucket of the adopted report denies AWS the delivery',
    actor: 'payer account owner',
    remedy: 'Set the bucket policy that the Billing console proposes. We never change an adopted bucket.',
  },
  'bucket-not-emptied': {
    title: 'The bucket could not be emptied',
    actor: 'payer account owner',
    remedy:
      'Find out what still writes to the bucket and stop it. If the bucket only holds more objects than we can delete in a day, add a lifecycle rule that expires them. Then start the offboarding again.',
  },
  'report-name-purged': {
    title: 'A report with this name was purged',
    actor: 'caller',
    remedy:
      'Choose another report.name, or leave it out. A new report with the name of a deleted one may corrupt its data (CUR User Guide).',
  },
  'delivery-failed': {
    title: 'AWS reports that it cannot deliver',
    actor: 'payer account owner',
    remedy: 'Repair the bucket or its policy. AWS tries again at its next delivery. Then start the run again.',
  },
  'delivery-overdue': {
    title: 'AWS delivered nothing before the deadline',
    actor: 'payer account owner',
    remedy:
      'Check the report in the Billing console. If AWS is still preparing it, start the run again with a longer wait.deadlineHours.',
  },
  'delivery-not-recognised': {
    title: 'AWS delivered, and we do not recognise the files',
    actor: 'operator',
    remedy:
      'The message has the first keys that AWS wrote. Compare them with the layouts in docs/architecture.md, and report a layout that is missing there. A report that is made for Athena has one folder for each month.',
  },
  'crawler-template-not-trusted': {
    title: 'The crawler template could do more than the one that AWS writes',
    actor: 'payer account owner',
    remedy:
      'Find out who changed crawler-cfn.yml. To set up the table without this template, use crawler: auto or none.',
  },
  'crawler-template-unusable': {
    title: 'The crawler template cannot be deployed here',
    actor: 'caller',
    remedy: 'Use crawler: auto or crawler: none. Both give the same table, without a crawler.',
  },
  'template-names-taken': {
    title: 'A crawler or a database has the name of AWS’s template',
    actor: 'caller',
    remedy:
      'Use crawler: auto, which uses a crawler of the report or makes a table of its own, or crawler: none. Or delete the named crawler, database or stack, then start the run again.',
  },
  'crawler-stack-failed': {
    title: 'The crawler stack failed',
    actor: 'payer account owner',
    remedy: 'The message names the first resource that failed and the reason. Correct it, then start the run again.',
  },
  'crawler-stack-not-ours': {
    title: 'A stack with this name exists and is not ours',
    actor: 'payer account owner',
    remedy: 'Finish, repair or delete that stack, then start the run again.',
  },
  'crawler-stack-not-removed': {
    title: 'CloudFormation cannot delete the crawler stack',
    actor: 'payer account owner',
    remedy:
      'Correct what the message names, then start the offboarding again. If a bucket is missing, delete the stack in the console and retain that resource. If termination protection is on, switch it off.',
  },
  'lake-formation-locked': {
    title: 'Lake Formation overrides the IAM permissions',
    actor: 'payer account owner',
    remedy:
      'Grant the provisioner role, the crawler role and the payer role on the database in Lake Formation, or restore the default permissions for IAMAllowedPrincipals.',
  },
  'crawl-failed': {
    title: 'The crawler failed',
    actor: 'payer account owner',
    remedy:
      'The message quotes the error of the crawler. Correct it, then start the run again. crawler: none makes a table of our own, without a crawler.',
  },
  'table-not-found': {
    title: 'The report has no table',
    actor: 'payer account owner',
    remedy:
      'The message says what the table lacks and who could add it. crawler: none makes a table of our own, without a crawler.',
  },
  'table-ambiguous': {
    title: 'More than one table holds the report',
    actor: 'payer account owner',
    remedy:
      'Remove the tables that another crawler created under the path of the report, so that only one table has the partitions year and month.',
  },

  'table-split': {
    title: 'A crawler made tables of single months',
    actor: 'payer account owner',
    remedy:
      'Use crawler: none, which makes a table of our own. Or let the crawler combine compatible schemas (TableGroupingPolicy: CombineCompatibleSchemas), delete the named tables and run it again.',
  },
  'table-projection-wrong': {
    title: 'The partition projection of the table leaves out the newest month',
    actor: 'payer account owner',
    remedy:
      'Correct the named parameter of the table, then start the run again. crawler: none makes a table of our own beside it.',
  },
  'table-not-ours': {
    title: 'A Glue database or table has the name of ours and is not ours',
    actor: 'payer account owner',
    remedy: 'Find out who made it. Rename or delete it, or use crawler: template, then start the run again.',
  },
  'columns-unknown': {
    title: 'Nothing says which columns the report has',
    actor: 'payer account owner',
    remedy:
      'AWS lists the columns in the manifest of each month and in create-table.sql. Check that nobody deletes these files, wait for AWS’s next delivery, then start the run again.',
  },

  // Query
  'results-in-cur-bucket': {
    title: 'Query results would be written to the report bucket',
    actor: 'caller',
    remedy:
      'Choose another athena.resultsBucket or athena.workgroup. The crawler would read results in the report bucket as report data.',
  },
  'workgroup-managed-results': {
    title: 'The workgroup stores its results in Athena',
    actor: 'caller',
    remedy:
      'Choose another athena.workgroup. Kubecost always sends an output location, and a workgroup with managed results refuses it.',
  },
  'workgroup-location-differs': {
    title: 'The workgroup writes its results to another location',
    actor: 'caller',
    remedy:
      'Leave athena.resultsBucket out to use the location of the workgroup, or choose a dedicated athena.workgroup.',
  },
  'workgroup-disabled': {
    title: 'The workgroup is disabled',
    actor: 'payer account owner',
    remedy: 'Enable the workgroup, or choose another one.',
  },

  // Access
  'namespace-missing': {
    title: 'The namespace does not exist',
    actor: 'cluster owner',
    remedy: 'Create the namespace, or send kubecost.createNamespace: true, then start the run again.',
  },
  'cluster-setup-denied': {
    title: 'Our role may not set up its access to the cluster',
    actor: 'cluster owner',
    remedy:
      'Apply the manifest from GET /v1/runs/{runId}/artifacts (or docs/access/cluster-manifest.yaml), create an access entry for the provisioner role with the Kubernetes group kubecost-payer-onboarding, and start the run again. Or grant the role the named action.',
  },
  'admission-denied': {
    title: 'An admission policy of the cluster rejects an object that we need',
    actor: 'cluster owner',
    remedy:
      'The message quotes the policy. Exempt the object from it, or apply the object yourself from GET /v1/runs/{runId}/artifacts. Then start the run again.',
  },
  'access-entry-not-ours': {
    title: 'The access entry of the provisioner role has other groups',
    actor: 'cluster owner',
    remedy: 'Add the Kubernetes group kubecost-payer-onboarding to that entry, or delete it.',
  },
  'cluster-rights-missing': {
    title: 'Our role lacks permissions in the cluster',
    actor: 'cluster owner',
    remedy:
      'Check the access entry, the Role and the RoleBinding kubecost-payer-onboarding. An IAM role that was deleted and created again needs a new access entry.',
  },
  'namespace-stuck': {
    title: 'The namespace cannot be deleted',
    actor: 'cluster owner',
    remedy:
      'Read the conditions of the namespace (kubectl get namespace <name> -o yaml). A finalizer or an API service that does not answer blocks the deletion. Remove the cause, then retry the run.',
  },
  'service-account-missing': {
    title: 'The service account does not exist',
    actor: 'cluster owner',
    remedy: 'Create the service account, or set identity.serviceAccount.create.',
  },
  'service-account-differs': {
    title: 'The workload runs as another service account',
    actor: 'caller',
    remedy: 'Send the service account of the workload, or change the workload.',
  },
  'pod-identity-not-supported': {
    title: 'The installed Kubecost does not support EKS Pod Identity',
    actor: 'caller',
    remedy: 'Use identity.mode irsa, or upgrade Kubecost to 2.2 or later. Then start the run again.',
  },
  'consumer-crashes-on-file': {
    title: 'The installed OpenCost crashes on any cloud-integration.json',
    actor: 'cluster owner',
    remedy: 'Install a release other than OpenCost 1.121.2 (opencost#4029), then start the run again.',
  },
  'service-account-subject-mismatch': {
    title: 'The pod role trusts another service account',
    actor: 'cluster owner',
    remedy:
      'Change the subject in the trust policy of the role to the named service account, or send existing: take-over so that we add it.',
  },
  'pod-role-not-ours': {
    title: 'The service account already has a role that is not ours',
    actor: 'caller',
    remedy: 'Send existing: take-over so that we use this role and add what is missing.',
  },
  'tag-session-missing': {
    title: 'sts:TagSession is not allowed',
    actor: 'payer account owner',
    remedy:
      'EKS Pod Identity sends session tags. Allow sts:TagSession as well as sts:AssumeRole in the named trust policy, or send existing: take-over so that we add it.',
  },
  'pod-identity-agent-missing': {
    title: 'EKS Pod Identity is not available in the cluster',
    actor: 'cluster owner',
    remedy: 'Install the add-on eks-pod-identity-agent, or use identity.mode irsa.',
  },
  'association-not-ours': {
    title: 'The service account has a Pod Identity association that is not ours',
    actor: 'caller',
    remedy: 'Send existing: take-over so that we use the role of the association and add what is missing.',
  },
  'payer-role-not-ours': {
    title: 'The payer role exists and is not ours',
    actor: 'caller',
    remedy: 'Send existing: take-over so that we add what the role lacks.',
  },
  'payer-role-full': {
    title: 'The trust policy of the payer role is full',
    actor: 'payer account owner',
    remedy: 'Remove unused statements or roles from the trust policy of the named role, or offboard a cluster.',
  },
  'pod-policy-not-ours': {
    title: 'The pod policy exists and is not ours',
    actor: 'caller',
    remedy: 'Delete the named policy, or send existing: take-over so that we add what it lacks.',
  },
  'target-full': {
    title: 'The policies of the pod role are full',
    actor: 'operator',
    remedy:
      'Use another cluster for further payers, or detach unneeded policies from the pod role. A role may have ten policies.',
  },
  'web-identity-denied': {
    title: 'The pod cannot assume its role',
    actor: 'cluster owner',
    remedy: 'Check the OIDC provider and the trust policy of the pod role for the named service account.',
  },
  'payer-role-denied': {
    title: 'The pod role cannot assume the payer role',
    actor: 'payer account owner',
    remedy:
      'Check the trust policy of the payer role and the policies of the pod role. Check that no service control policy denies sts:AssumeRole.',
  },

  // Secret
  'secret-unparsable': {
    title: 'The consumer cannot read the file in the cluster',
    actor: 'cluster owner',
    remedy:
      'Repair cloud-integration.json at the place that the message names. We do not change this file, because one bad entry stops the consumer from reading every cloud in it.',
  },
  'secret-format-differs': {
    title: 'The file has the other format',
    actor: 'caller',
    remedy: 'Send kubecost.format: auto. We never convert a file.',
  },
  'secret-owned-elsewhere': {
    title: 'The secret belongs to Helm or a GitOps tool',
    actor: 'cluster owner',
    remedy:
      'Start again with kubecost.publish: artifacts and add the entry from GET /v1/runs/{runId}/artifacts to the source of the secret. Or use a secret with another name.',
  },
  'secret-rejected': {
    title: 'An admission policy of the cluster rejects the secret',
    actor: 'cluster owner',
    remedy:
      'The message quotes the policy. Exempt the secret from it, or start again with kubecost.publish: artifacts and create the secret as the policy requires.',
  },
  'secret-immutable': {
    title: 'The secret is immutable',
    actor: 'cluster owner',
    remedy: 'Replace it with a mutable secret, or use another secret name.',
  },
  'payer-already-integrated': {
    title: 'The payer is already in the file under another key',
    actor: 'caller',
    remedy:
      'Remove that entry, or send existing: take-over so that we replace it. Two entries would count the cost of the payer twice.',
  },
  'entry-not-ours': {
    title: 'The payer has an entry that is not ours',
    actor: 'caller',
    remedy: 'Send existing: take-over so that we replace it.',
  },

  'entry-still-there': {
    title: 'The entry is in a file that we do not edit',
    actor: 'cluster owner',
    remedy:
      'Remove the named entry from the source of the secret (Helm values, GitOps repository or the file itself), then retry the run. The roles and resources that the entry uses still exist.',
  },
  'entry-still-loaded': {
    title: 'The consumer still has the entry loaded',
    actor: 'cluster owner',
    remedy:
      'Find out why the pods of the named workload still have the old file (kubectl rollout status), restart the workload, then retry the run. The roles and resources that the entry uses still exist.',
  },

  // Proofs
  'query-failed': {
    title: 'The smoke query failed',
    actor: 'payer account owner',
    remedy:
      'The message quotes the error of Athena. Correct the named permission, table or location, then start the run again.',
  },
  'query-overdue': { title: 'The smoke query did not finish', actor: 'nobody', remedy: 'Start the run again later.' },

  // The consumer
  'entry-lost': {
    title: 'The published entry is no longer in the file',
    actor: 'cluster owner',
    remedy:
      'Find out what else writes the secret (a Helm upgrade, a GitOps tool, a script), stop it and start the run again. Or use kubecost.publish: artifacts.',
  },
  'rollout-failed': {
    title: 'The workload does not become ready',
    actor: 'cluster owner',
    remedy: 'The message quotes the error of the pod. Correct it, then start the run again.',
  },
  'consumer-crashes': {
    title: 'The container that reads the file crashes',
    actor: 'cluster owner',
    remedy:
      'Read the log with kubectl logs --previous. OpenCost 1.121.2 crashes on any file; other releases crash on a null in a list of the file. Correct the cause, then start the run again.',
  },
  'pod-without-credentials': {
    title: 'The pod has no credentials of its role',
    actor: 'cluster owner',
    remedy:
      'A pod gets its credentials when it is created. Check the pod identity webhook or agent and the annotation or association of the service account, restart the workload, then start the run again.',
  },
  'consumer-not-reading': {
    title: 'The consumer did not load the entry',
    actor: 'cluster owner',
    remedy:
      'Search the container log for “MultiCloudWatcher”. Check that CONFIG_PATH is the path where the secret is mounted. Restart the workload, then start the run again.',
  },
  'consumer-refuses-entry': {
    title: 'The consumer rejects the entry as invalid',
    actor: 'cluster owner',
    remedy:
      'Compare the entry with the documentation of the installed release, or upgrade the release. Then start the run again.',
  },
  'cloud-cost-disabled': {
    title: 'Cloud costs are switched off in the consumer',
    actor: 'cluster owner',
    remedy:
      'For OpenCost, set opencost.cloudCost.enabled=true in addition to the secret name. For Kubecost, enable cloud costs in the Helm values. Then start the run again.',
  },
  'connection-failed': {
    title: 'The queries of the consumer fail',
    actor: 'payer account owner',
    remedy:
      'The message quotes the error of the consumer. The Athena query history in the payer account may have details. Correct the cause, restart the workload (it repeats its queries only every 6 hours), then start the run again.',
  },
  'connection-data-missing': {
    title: 'The queries of the consumer return no rows',
    actor: 'payer account owner',
    remedy:
      'Check that the table of the entry has partitions year and month for the last days (months without a leading zero) and that they contain rows. Then start the run again.',
  },
});

export type ErrorCode = keyof typeof errorCatalogue;
