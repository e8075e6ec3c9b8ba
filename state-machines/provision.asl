{
  "Comment": "One payer account, from nothing to a proven cloud-integration entry. Generated: npm run generate.",
  "StartAt": "preflight",
  "TimeoutSeconds": 1728000,
  "States": {
    "preflight": {
      "Type": "Task",
      "Resource": "${preflightArn}",
      "Parameters": {
        "runId.$": "$.runId",
        "attempt.$": "$.attempt"
      },
      "ResultPath": "$.answer",
      "TimeoutSeconds": 90,
      "Retry": [
        {
          "ErrorEquals": [
            "RetryableError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "States.Timeout"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2,
          "MaxDelaySeconds": 60,
          "MaxAttempts": 8,
          "JitterStrategy": "FULL"
        }
      ],
      "Catch": [
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "preflight done?"
    },
    "preflight done?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "preflight waits"
        }
      ],
      "Default": "report-choice"
    },
    "preflight waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "preflight"
    },
    "report-choice": {
      "Type": "Task",
      "Resource": "${reportChoiceArn}",
      "Parameters": {
        "runId.$": "$.runId",
        "attempt.$": "$.attempt"
      },
      "ResultPath": "$.answer",
      "TimeoutSeconds": 90,
      "Retry": [
        {
          "ErrorEquals": [
            "RetryableError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "States.Timeout"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2,
          "MaxDelaySeconds": 60,
          "MaxAttempts": 8,
          "JitterStrategy": "FULL"
        }
      ],
      "Catch": [
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "report-choice done?"
    },
    "report-choice done?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "report-choice waits"
        }
      ],
      "Default": "prepare"
    },
    "report-choice waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "report-choice"
    },
    "prepare": {
      "Type": "Parallel",
      "Branches": [
        {
          "StartAt": "cur-bucket",
          "States": {
            "cur-bucket": {
              "Type": "Task",
              "Resource": "${curBucketArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "cur-bucket done?"
            },
            "cur-bucket done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "cur-bucket waits"
                }
              ],
              "Default": "cur-report"
            },
            "cur-bucket waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "cur-bucket"
            },
            "cur-report": {
              "Type": "Task",
              "Resource": "${curReportArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "cur-report done?"
            },
            "cur-report done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "cur-report waits"
                }
              ],
              "Default": "first-delivery"
            },
            "cur-report waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "cur-report"
            },
            "first-delivery": {
              "Type": "Task",
              "Resource": "${firstDeliveryArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "first-delivery done?"
            },
            "first-delivery done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "first-delivery waits"
                }
              ],
              "Default": "crawler-stack"
            },
            "first-delivery waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "first-delivery"
            },
            "crawler-stack": {
              "Type": "Task",
              "Resource": "${crawlerStackArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "crawler-stack done?"
            },
            "crawler-stack done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "crawler-stack waits"
                }
              ],
              "Default": "crawler-table"
            },
            "crawler-stack waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "crawler-stack"
            },
            "crawler-table": {
              "Type": "Task",
              "Resource": "${crawlerTableArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "crawler-table done?"
            },
            "crawler-table done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "crawler-table waits"
                }
              ],
              "Default": "crawler-table done"
            },
            "crawler-table waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "crawler-table"
            },
            "crawler-table done": {
              "Type": "Pass",
              "End": true
            }
          }
        },
        {
          "StartAt": "athena-results",
          "States": {
            "athena-results": {
              "Type": "Task",
              "Resource": "${athenaResultsArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "athena-results done?"
            },
            "athena-results done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "athena-results waits"
                }
              ],
              "Default": "athena-results done"
            },
            "athena-results waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "athena-results"
            },
            "athena-results done": {
              "Type": "Pass",
              "End": true
            }
          }
        },
        {
          "StartAt": "cluster-access",
          "States": {
            "cluster-access": {
              "Type": "Task",
              "Resource": "${clusterAccessArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "cluster-access done?"
            },
            "cluster-access done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "cluster-access waits"
                }
              ],
              "Default": "discovery"
            },
            "cluster-access waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "cluster-access"
            },
            "discovery": {
              "Type": "Task",
              "Resource": "${discoveryArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "discovery done?"
            },
            "discovery done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "discovery waits"
                }
              ],
              "Default": "identity mode?"
            },
            "discovery waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "discovery"
            },
            "payer-role": {
              "Type": "Task",
              "Resource": "${payerRoleArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "payer-role done?"
            },
            "payer-role done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "payer-role waits"
                }
              ],
              "Default": "grant"
            },
            "payer-role waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "payer-role"
            },
            "grant": {
              "Type": "Task",
              "Resource": "${grantArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "grant done?"
            },
            "grant done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "grant waits"
                }
              ],
              "Default": "chain-proof"
            },
            "grant waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "grant"
            },
            "chain-proof": {
              "Type": "Task",
              "Resource": "${chainProofArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "chain-proof done?"
            },
            "chain-proof done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "chain-proof waits"
                }
              ],
              "Default": "chain-proof done"
            },
            "chain-proof waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "chain-proof"
            },
            "chain-proof done": {
              "Type": "Pass",
              "End": true
            },
            "identity mode?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.identityMode",
                  "StringEquals": "pod-identity",
                  "Next": "pod-identity"
                }
              ],
              "Default": "pod-role"
            },
            "pod-role": {
              "Type": "Task",
              "Resource": "${podRoleArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "pod-role done?"
            },
            "pod-role done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "pod-role waits"
                }
              ],
              "Default": "payer-role"
            },
            "pod-role waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "pod-role"
            },
            "pod-identity": {
              "Type": "Task",
              "Resource": "${podIdentityArn}",
              "Parameters": {
                "runId.$": "$.runId",
                "attempt.$": "$.attempt"
              },
              "ResultPath": "$.answer",
              "TimeoutSeconds": 90,
              "Retry": [
                {
                  "ErrorEquals": [
                    "RetryableError",
                    "Lambda.ServiceException",
                    "Lambda.AWSLambdaException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException",
                    "Lambda.ClientExecutionTimeoutException",
                    "Lambda.Unknown",
                    "Sandbox.Timedout",
                    "States.Timeout"
                  ],
                  "IntervalSeconds": 2,
                  "BackoffRate": 2,
                  "MaxDelaySeconds": 60,
                  "MaxAttempts": 8,
                  "JitterStrategy": "FULL"
                }
              ],
              "Next": "pod-identity done?"
            },
            "pod-identity done?": {
              "Type": "Choice",
              "Choices": [
                {
                  "Variable": "$.answer.status",
                  "StringEquals": "waiting",
                  "Next": "pod-identity waits"
                }
              ],
              "Default": "payer-role"
            },
            "pod-identity waits": {
              "Type": "Wait",
              "SecondsPath": "$.answer.seconds",
              "Next": "pod-identity"
            }
          }
        }
      ],
      "ResultPath": null,
      "Catch": [
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "payer-policy"
    },
    "payer-policy": {
      "Type": "Task",
      "Resource": "${payerPolicyArn}",
      "Parameters": {
        "runId.$": "$.runId",
        "attempt.$": "$.attempt"
      },
      "ResultPath": "$.answer",
      "TimeoutSeconds": 90,
      "Retry": [
        {
          "ErrorEquals": [
            "RetryableError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "States.Timeout"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2,
          "MaxDelaySeconds": 60,
          "MaxAttempts": 8,
          "JitterStrategy": "FULL"
        }
      ],
      "Catch": [
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "payer-policy done?"
    },
    "payer-policy done?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "payer-policy waits"
        }
      ],
      "Default": "smoke-query"
    },
    "payer-policy waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "payer-policy"
    },
    "smoke-query": {
      "Type": "Task",
      "Resource": "${smokeQueryArn}",
      "Parameters": {
        "runId.$": "$.runId",
        "attempt.$": "$.attempt"
      },
      "ResultPath": "$.answer",
      "TimeoutSeconds": 90,
      "Retry": [
        {
          "ErrorEquals": [
            "RetryableError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "States.Timeout"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2,
          "MaxDelaySeconds": 60,
          "MaxAttempts": 8,
          "JitterStrategy": "FULL"
        }
      ],
      "Catch": [
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "smoke-query done?"
    },
    "smoke-query done?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "smoke-query waits"
        }
      ],
      "Default": "publish"
    },
    "smoke-query waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "smoke-query"
    },
    "publish": {
      "Type": "Task",
      "Resource": "${publishArn}",
      "Parameters": {
        "runId.$": "$.runId",
        "attempt.$": "$.attempt"
      },
      "ResultPath": "$.answer",
      "TimeoutSeconds": 90,
      "Retry": [
        {
          "ErrorEquals": [
            "RetryableError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "States.Timeout"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2,
          "MaxDelaySeconds": 60,
          "MaxAttempts": 8,
          "JitterStrategy": "FULL"
        }
      ],
      "Catch": [
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "publish done?"
    },
    "publish done?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "publish waits"
        }
      ],
      "Default": "close"
    },
    "publish waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "publish"
    },
    "close": {
      "Type": "Task",
      "Resource": "${closeArn}",
      "ResultPath": "$.closed",
      "TimeoutSeconds": 90,
      "Retry": [
        {
          "ErrorEquals": [
            "RetryableError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "States.Timeout"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2,
          "MaxDelaySeconds": 60,
          "MaxAttempts": 8,
          "JitterStrategy": "FULL"
        }
      ],
      "Next": "ended well?"
    },
    "ended well?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.closed.status",
          "StringEquals": "failed",
          "Next": "failed"
        }
      ],
      "Default": "ended"
    },
    "failed": {
      "Type": "Fail",
      "Error": "RunFailed",
      "Cause": "The run record names the step, the cause and the remedy."
    },
    "ended": {
      "Type": "Succeed"
    }
  }
}
