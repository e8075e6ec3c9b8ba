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
