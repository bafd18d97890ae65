#!/usr/bin/env bash
# A migration with the aws CLI alone: starts it, waits, and says how it ended and why.
#
#     ci/aws-migrate.sh SERVICE [STACK]
#
# POLL_SECONDS (15) is the time between two looks, WAIT_SECONDS (14400) the longest wait; the migration goes on after it.
#
# Exit code: 0 migrated; 2 refused, or called wrongly; 3 rolled back; 5 another migration is in the way; 6 only the wait was too short;
# 7 halted; 8 access denied, credentials expired, or AWS not reached; 1 anything else. `crossfade start --wait` tells more: who
# aborted, what a step waits for, and it attaches to a migration that is under way.
set -euo pipefail

fail() {
    local code=$1
    shift
    printf '%s\n' "$*" >&2
    exit "$code"
}

[[ $# -ge 1 && $# -le 2 ]] || fail 2 "usage: aws-migrate.sh SERVICE [STACK]"
service=$1
stack=${2:-crossfade}
poll=${POLL_SECONDS:-15}
longest=${WAIT_SECONDS:-14400}
[[ $service =~ ^[A-Za-z0-9-]+$ ]] || fail 2 "$service: not the name of a service"

# The CLI leaves with codes of its own (252, 254, ...), which say nothing here: what it cannot do is 8 for the caller.
asked() {
    aws "$@" || fail 8 "aws $1 $2 failed, see above"
}

region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
# Without a region in the profile the CLI says nothing and ends with 1.
[[ -n $region ]] || region=$(aws configure get region) || true
[[ -n $region ]] || fail 2 "no region: set AWS_REGION, or one in the profile that AWS_PROFILE names"
export AWS_REGION=$region

# arn:aws-cn:sts::123456789012:assumed-role/deploy/ci
IFS=: read -r _ partition _ _ account _ <<<"$(asked sts get-caller-identity --query Arn --output text)"
[[ $account =~ ^[0-9]{12}$ ]] || fail 8 "AWS did not say whose credentials these are"
machine="arn:$partition:states:$region:$account:stateMachine:$stack-migrate-service"

# A name is blocked for 90 days: one for each attempt. A second start while one runs is refused by the plan (LockHeld).
execution=$(asked stepfunctions start-execution --state-machine-arn "$machine" \
    --name "$service-$(date -u +%Y%m%dT%H%M%SZ)" --input "{\"service\": \"$service\"}" \
    --query executionArn --output text)
printf 'started %s\n' "$execution" >&2
goes_on="the migration goes on: $execution"

# The answer of one look is status, error and cause, separated by tabs, in one line each.
look() {
    aws stepfunctions describe-execution --execution-arn "$execution" --query '[status, error, cause]' --output text 2>&1
}

# One look that fails is no failed migration: it goes on whatever this script sees. Credentials do not come back by waiting.
failures=0
while :; do
    if seen=$(look); then
        failures=0
        status=${seen%%$'\t'*}
        [[ $status == RUNNING ]] || break
    else
        failures=$((failures + 1))
        case "$seen" in
            *ExpiredToken* | *AccessDenied* | *InvalidClientTokenId* | *UnrecognizedClient* | *"Unable to locate credentials"*)
                fail 8 "$seen"$'\n'"$goes_on"
                ;;
        esac
        ((failures < 20)) || fail 8 "$seen"$'\n'"20 looks in a row failed; $goes_on"
    fi
    ((SECONDS < longest)) || fail 6 "no end after $longest s; $goes_on"
    sleep "$poll"
done

IFS=$'\t' read -r status error cause <<<"$seen"
# The cause of a function's error is JSON around its message.
if [[ $cause =~ \"errorMessage\":[[:space:]]*\"((\\.|[^\"\\])*)\" ]]; then
    cause=${BASH_REMATCH[1]//\\\"/\"}
fi
case "$status:$error" in
    SUCCEEDED:*) printf '%s has migrated\n' "$service" && exit 0 ;;
    FAILED:RolledBack) code=3 ;;
    FAILED:Halted) code=7 ;;
    FAILED:LockHeld) code=5 ;;
    FAILED:Refused | FAILED:InvalidRequest) code=2 ;;
    *) code=1 ;;
esac
fail "$code" "$service: $status $error: $cause"
