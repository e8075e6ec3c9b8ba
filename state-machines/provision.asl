{
  "Comment": "Onboards one payer account, up to a proven cloud-integration entry. Generated: npm run generate.",
  "StartAt": "where from?",
  "TimeoutSeconds": 1728000,
  "States": {
    "where from?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.from",
              "IsPresent": true
            },
            {
              "Variable": "$.from",
              "StringEquals": "load-proof"
            }
          ],
          "Next": "load-proof"
        },
        {
          "And": [
            {
              "Variable": "$.from",
              "IsPresent": true
            },
            {
              "Variable": "$.from",
              "StringEquals": "discovery"
            }
          ],
          "Next": "discovery again"
        }
      ],
      "Default": "preflight"
    },
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "preflight is called back"
        },
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
    "preflight is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "preflight",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "preflight"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "report-choice is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "report-choice waits"
        }
      ],
      "Default": "cluster-access"
    },
    "report-choice waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "report-choice"
    },
    "report-choice is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "report-choice",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "report-choice"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "report-choice"
    },
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "cluster-access done?"
    },
    "cluster-access done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "cluster-access is called back"
        },
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
    "cluster-access is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "cluster-access",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "cluster-access"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "discovery done?"
    },
    "discovery done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "discovery is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "discovery waits"
        },
        {
          "Variable": "$.answer.outdated",
          "StringEquals": "cluster-access",
          "Next": "cluster-access"
        }
      ],
      "Default": "prepare"
    },
    "discovery waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "discovery"
    },
    "discovery is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "discovery",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "discovery"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "discovery"
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "cur-bucket is called back"
                },
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
            "cur-bucket is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "cur-bucket",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "cur-bucket"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "cur-report is called back"
                },
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
            "cur-report is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "cur-report",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "cur-report"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "first-delivery is called back"
                },
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
            "first-delivery is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "first-delivery",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "first-delivery"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "crawler-stack is called back"
                },
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
            "crawler-stack is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "crawler-stack",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "crawler-stack"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "crawler-table is called back"
                },
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
            "crawler-table is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "crawler-table",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "crawler-table"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "athena-results is called back"
                },
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
            "athena-results is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "athena-results",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "athena-results"
                }
              ],
              "Next": "athena-results"
            },
            "athena-results done": {
              "Type": "Pass",
              "End": true
            }
          }
        },
        {
          "StartAt": "identity mode?",
          "States": {
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "pod-role is called back"
                },
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
            "pod-role is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "pod-role",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "pod-role"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "pod-identity is called back"
                },
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
            },
            "pod-identity is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "pod-identity",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "pod-identity"
                }
              ],
              "Next": "pod-identity"
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "payer-role is called back"
                },
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
            "payer-role is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "payer-role",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "payer-role"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "grant is called back"
                },
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
            "grant is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "grant",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "grant"
                }
              ],
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
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
                  "And": [
                    {
                      "Variable": "$.answer.status",
                      "StringEquals": "waiting"
                    },
                    {
                      "Variable": "$.answer.callback",
                      "IsPresent": true
                    },
                    {
                      "Variable": "$.answer.callback",
                      "BooleanEquals": true
                    }
                  ],
                  "Next": "chain-proof is called back"
                },
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
            "chain-proof is called back": {
              "Type": "Task",
              "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
              "Parameters": {
                "FunctionName": "${keepTokenArn}",
                "Payload": {
                  "runId.$": "$.runId",
                  "attempt.$": "$.attempt",
                  "step": "chain-proof",
                  "token.$": "$$.Task.Token"
                }
              },
              "ResultPath": null,
              "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
                    "Lambda.ResourceConflictException",
                    "Lambda.ResourceNotReadyException",
                    "Lambda.EC2ThrottledException",
                    "Sandbox.Timedout"
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
                    "States.Timeout"
                  ],
                  "ResultPath": null,
                  "Next": "chain-proof"
                }
              ],
              "Next": "chain-proof"
            },
            "chain-proof done": {
              "Type": "Pass",
              "End": true
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "payer-policy is called back"
        },
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
    "payer-policy is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "payer-policy",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "payer-policy"
        },
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "smoke-query is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "smoke-query waits"
        }
      ],
      "Default": "discovery again"
    },
    "smoke-query waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "smoke-query"
    },
    "smoke-query is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "smoke-query",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "smoke-query"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "smoke-query"
    },
    "discovery again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "discovery again done?"
    },
    "discovery again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "discovery again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "discovery again waits"
        },
        {
          "Variable": "$.answer.outdated",
          "StringEquals": "cluster-access",
          "Next": "cluster-access again"
        },
        {
          "Variable": "$.answer.outdated",
          "StringEquals": "pod-role",
          "Next": "cluster-access again"
        }
      ],
      "Default": "publish"
    },
    "discovery again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "discovery again"
    },
    "discovery again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "discovery",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "discovery again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "discovery again"
    },
    "cluster-access again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "cluster-access again done?"
    },
    "cluster-access again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "cluster-access again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "cluster-access again waits"
        }
      ],
      "Default": "identity mode again?"
    },
    "cluster-access again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "cluster-access again"
    },
    "cluster-access again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "cluster-access",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "cluster-access again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "cluster-access again"
    },
    "identity mode again?": {
      "Type": "Choice",
      "Choices": [
        {
          "Variable": "$.identityMode",
          "StringEquals": "pod-identity",
          "Next": "pod-identity again"
        }
      ],
      "Default": "pod-role again"
    },
    "pod-role again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "pod-role again done?"
    },
    "pod-role again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "pod-role again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "pod-role again waits"
        }
      ],
      "Default": "payer-role again"
    },
    "pod-role again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "pod-role again"
    },
    "pod-role again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "pod-role",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "pod-role again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "pod-role again"
    },
    "pod-identity again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "pod-identity again done?"
    },
    "pod-identity again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "pod-identity again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "pod-identity again waits"
        }
      ],
      "Default": "payer-role again"
    },
    "pod-identity again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "pod-identity again"
    },
    "pod-identity again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "pod-identity",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "pod-identity again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "pod-identity again"
    },
    "payer-role again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "payer-role again done?"
    },
    "payer-role again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "payer-role again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "payer-role again waits"
        }
      ],
      "Default": "grant again"
    },
    "payer-role again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "payer-role again"
    },
    "payer-role again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "payer-role",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "payer-role again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "payer-role again"
    },
    "grant again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "grant again done?"
    },
    "grant again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "grant again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "grant again waits"
        }
      ],
      "Default": "chain-proof again"
    },
    "grant again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "grant again"
    },
    "grant again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "grant",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "grant again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "grant again"
    },
    "chain-proof again": {
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "chain-proof again done?"
    },
    "chain-proof again done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "chain-proof again is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "chain-proof again waits"
        }
      ],
      "Default": "publish"
    },
    "chain-proof again waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "chain-proof again"
    },
    "chain-proof again is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "chain-proof",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "chain-proof again"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "chain-proof again"
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "publish is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "publish waits"
        }
      ],
      "Default": "load-proof"
    },
    "publish waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "publish"
    },
    "publish is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "publish",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "publish"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "publish"
    },
    "load-proof": {
      "Type": "Task",
      "Resource": "${loadProofArn}",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "load-proof done?"
    },
    "load-proof done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "load-proof is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "load-proof waits"
        }
      ],
      "Default": "retire-crawler"
    },
    "load-proof waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "load-proof"
    },
    "load-proof is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "load-proof",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "load-proof"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "load-proof"
    },
    "retire-crawler": {
      "Type": "Task",
      "Resource": "${retireCrawlerArn}",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
      "Next": "retire-crawler done?"
    },
    "retire-crawler done?": {
      "Type": "Choice",
      "Choices": [
        {
          "And": [
            {
              "Variable": "$.answer.status",
              "StringEquals": "waiting"
            },
            {
              "Variable": "$.answer.callback",
              "IsPresent": true
            },
            {
              "Variable": "$.answer.callback",
              "BooleanEquals": true
            }
          ],
          "Next": "retire-crawler is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "retire-crawler waits"
        }
      ],
      "Default": "close"
    },
    "retire-crawler waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "retire-crawler"
    },
    "retire-crawler is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "retire-crawler",
          "token.$": "$$.Task.Token"
        }
      },
      "ResultPath": null,
      "TimeoutSecondsPath": "$.answer.timeoutSeconds",
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
            "Sandbox.Timedout"
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
            "States.Timeout"
          ],
          "ResultPath": null,
          "Next": "retire-crawler"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "retire-crawler"
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
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
            "Lambda.EC2ThrottledException",
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
