{
  "Comment": "Offboards one payer account from one cluster: first its entry, last the access to its data. Generated: npm run generate.",
  "StartAt": "inventory",
  "TimeoutSeconds": 172800,
  "States": {
    "inventory": {
      "Type": "Task",
      "Resource": "${inventoryArn}",
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
      "Next": "inventory done?"
    },
    "inventory done?": {
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
          "Next": "inventory is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "inventory waits"
        }
      ],
      "Default": "remove-entry"
    },
    "inventory waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "inventory"
    },
    "inventory is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "inventory",
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
          "Next": "inventory"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "inventory"
    },
    "remove-entry": {
      "Type": "Task",
      "Resource": "${removeEntryArn}",
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
      "Next": "remove-entry done?"
    },
    "remove-entry done?": {
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
          "Next": "remove-entry is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-entry waits"
        }
      ],
      "Default": "unload-proof"
    },
    "remove-entry waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-entry"
    },
    "remove-entry is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-entry",
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
          "Next": "remove-entry"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-entry"
    },
    "unload-proof": {
      "Type": "Task",
      "Resource": "${unloadProofArn}",
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
      "Next": "unload-proof done?"
    },
    "unload-proof done?": {
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
          "Next": "unload-proof is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "unload-proof waits"
        }
      ],
      "Default": "remove-pod-role"
    },
    "unload-proof waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "unload-proof"
    },
    "unload-proof is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "unload-proof",
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
          "Next": "unload-proof"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "unload-proof"
    },
    "remove-pod-role": {
      "Type": "Task",
      "Resource": "${removePodRoleArn}",
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
      "Next": "remove-pod-role done?"
    },
    "remove-pod-role done?": {
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
          "Next": "remove-pod-role is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-pod-role waits"
        }
      ],
      "Default": "remove-grant"
    },
    "remove-pod-role waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-pod-role"
    },
    "remove-pod-role is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-pod-role",
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
          "Next": "remove-pod-role"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-pod-role"
    },
    "remove-grant": {
      "Type": "Task",
      "Resource": "${removeGrantArn}",
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
      "Next": "remove-grant done?"
    },
    "remove-grant done?": {
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
          "Next": "remove-grant is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-grant waits"
        }
      ],
      "Default": "remove-payer-role"
    },
    "remove-grant waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-grant"
    },
    "remove-grant is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-grant",
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
          "Next": "remove-grant"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-grant"
    },
    "remove-payer-role": {
      "Type": "Task",
      "Resource": "${removePayerRoleArn}",
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
      "Next": "remove-payer-role done?"
    },
    "remove-payer-role done?": {
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
          "Next": "remove-payer-role is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-payer-role waits"
        }
      ],
      "Default": "remove-crawler-stack"
    },
    "remove-payer-role waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-payer-role"
    },
    "remove-payer-role is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-payer-role",
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
          "Next": "remove-payer-role"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-payer-role"
    },
    "remove-crawler-stack": {
      "Type": "Task",
      "Resource": "${removeCrawlerStackArn}",
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
      "Next": "remove-crawler-stack done?"
    },
    "remove-crawler-stack done?": {
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
          "Next": "remove-crawler-stack is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-crawler-stack waits"
        }
      ],
      "Default": "remove-athena-results"
    },
    "remove-crawler-stack waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-crawler-stack"
    },
    "remove-crawler-stack is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-crawler-stack",
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
          "Next": "remove-crawler-stack"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-crawler-stack"
    },
    "remove-athena-results": {
      "Type": "Task",
      "Resource": "${removeAthenaResultsArn}",
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
      "Next": "remove-athena-results done?"
    },
    "remove-athena-results done?": {
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
          "Next": "remove-athena-results is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-athena-results waits"
        }
      ],
      "Default": "remove-report"
    },
    "remove-athena-results waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-athena-results"
    },
    "remove-athena-results is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-athena-results",
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
          "Next": "remove-athena-results"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-athena-results"
    },
    "remove-report": {
      "Type": "Task",
      "Resource": "${removeReportArn}",
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
      "Next": "remove-report done?"
    },
    "remove-report done?": {
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
          "Next": "remove-report is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-report waits"
        }
      ],
      "Default": "remove-access"
    },
    "remove-report waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-report"
    },
    "remove-report is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-report",
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
          "Next": "remove-report"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-report"
    },
    "remove-access": {
      "Type": "Task",
      "Resource": "${removeAccessArn}",
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
      "Next": "remove-access done?"
    },
    "remove-access done?": {
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
          "Next": "remove-access is called back"
        },
        {
          "Variable": "$.answer.status",
          "StringEquals": "waiting",
          "Next": "remove-access waits"
        }
      ],
      "Default": "close"
    },
    "remove-access waits": {
      "Type": "Wait",
      "SecondsPath": "$.answer.seconds",
      "Next": "remove-access"
    },
    "remove-access is called back": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "${keepTokenArn}",
        "Payload": {
          "runId.$": "$.runId",
          "attempt.$": "$.attempt",
          "step": "remove-access",
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
          "Next": "remove-access"
        },
        {
          "ErrorEquals": [
            "States.ALL"
          ],
          "ResultPath": "$.failure",
          "Next": "close"
        }
      ],
      "Next": "remove-access"
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
