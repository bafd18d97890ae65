#!/usr/bin/env bash
# A migration with the aws CLI alone: starts it, waits, and says how it ended and why.
#
#     ci/aws-migrate.sh SERVICE [STACK]
#
# Exit code: 0 migrated; 2 refused; 3 rolled back; 5 another migration is in the way; 7 halted; 1 anything else. `crossfade start
# --wait` tells more: who aborted, what a step waits for, and it attaches to a migration that is under way.
set -euo pipefail

service=${1:?usage: aws-migrate.sh SERVICE [STACK]}
stack=${2:-crossfade}
seconds=${POLL_SECONDS:-15}

account=$(aws sts get-caller-identity --query Account --output text)
region=${AWS_REGION:-$(aws configure get region)}
machine="arn:aws:states:$region:$account:stateMachine:$stack-migrate-service"

# A name is blocked for 90 days: one for each attempt. A second start while one runs is refused by the plan (LockHeld).
execution=$(aws stepfunctions start-execution --state-machine-arn "$machine" \
    --name "$service-$(date -u +%Y%m%dT%H%M%SZ)" --input "{\"service\": \"$service\"}" \
    --query executionArn --output text)
echo "started $execution" >&2

# A failed look is no failed migration: it goes on whatever this script sees.
while :; do
    status=$(aws stepfunctions describe-execution --execution-arn "$execution" --query status --output text) || status=RUNNING
    [[ "$status" == RUNNING ]] || break
    sleep "$seconds"
done

ended() { aws stepfunctions describe-execution --execution-arn "$execution" --query "$1" --output text; }
error=$(ended error)
case "$status:$error" in
    SUCCEEDED:*) echo "$service has migrated"; exit 0 ;;
    FAILED:RolledBack) code=3 ;;
    FAILED:Halted) code=7 ;;
    FAILED:LockHeld) code=5 ;;
    FAILED:Refused | FAILED:InvalidRequest) code=2 ;;
    *) code=1 ;;
esac
echo "$service: $status $error: $(ended cause)" >&2
exit "$code"
