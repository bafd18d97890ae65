#!/usr/bin/env bash
# Migrates a service or a fleet with the aws CLI alone: starts the migration, waits for it, and reports how it ended and
# why.
#
#     ci/aws-migrate.sh SERVICE [STACK]
#     ci/aws-migrate.sh --fleet FLEET [STACK]
#
# IGNORE_AFTER=true starts a service although one that it comes after has not migrated. NOW=true waits for no window and
# no freeze. Both need a REASON, which the journal records.
#
# POLL_SECONDS (15) is the time between two polls. WAIT_SECONDS (14400) is the longest wait; after it, the migration
# continues without this script.
#
# Exit code: 0 migrated; 2 refused, or wrong arguments; 3 rolled back, or services of the fleet have not migrated; 4 a
# person ended the fleet's run; 5 another migration or conductor is in the way; 6 the wait was too short, or the fleet
# continues in another execution; 7 halted, or the fleet has stopped; 8 access denied, credentials expired, or AWS not
# reached; 1 anything else. `crossfade start --wait` reports more: who aborted, and what a step waits for. It can also
# attach to a running migration.
set -euo pipefail

fail() {
    local code=$1
    shift
    printf '%s\n' "$*" >&2
    exit "$code"
}

usage="usage: aws-migrate.sh SERVICE [STACK], or aws-migrate.sh --fleet FLEET [STACK]"
kind=service
if [[ ${1:-} == --fleet ]]; then
    kind=fleet
    shift
fi
[[ $# -ge 1 && $# -le 2 ]] || fail 2 "$usage"
name=$1
stack=${2:-crossfade}
poll=${POLL_SECONDS:-15}
longest=${WAIT_SECONDS:-14400}
[[ $name =~ ^[A-Za-z0-9-]+$ ]] || fail 2 "$name: not the name of a $kind"
reason=${REASON:-}

# Whether a switch is on; anything but true and false is a mistake.
is_on() {
    case "$2" in
        true) return 0 ;;
        false | "") return 1 ;;
        *) fail 2 "$1=$2: expected true or false" ;;
    esac
}

input="{\"$kind\": \"$name\""
said=
if is_on IGNORE_AFTER "${IGNORE_AFTER:-}"; then
    [[ $kind == service ]] || fail 2 "IGNORE_AFTER: only with a service; a fleet keeps its order"
    input+=', "ignoreAfter": true'
    said=IGNORE_AFTER
fi
if is_on NOW "${NOW:-}"; then
    input+=', "now": true'
    said=NOW
fi
if [[ -n $said ]]; then
    [[ -n $reason ]] || fail 2 "$said=true needs a REASON"
    [[ $reason != *[[:cntrl:]]* ]] || fail 2 "REASON: expected one line without control characters"
    escaped=${reason//\\/\\\\}
    input+=", \"reason\": \"${escaped//\"/\\\"}\""
elif [[ -n $reason ]]; then
    fail 2 "REASON is recorded for IGNORE_AFTER and NOW only: set one of them to true"
fi
input+="}"

# The CLI has its own exit codes (252, 254, ...), which mean nothing to our caller: its failures become 8.
asked() {
    aws "$@" || fail 8 "aws $1 $2 failed, see above"
}

region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
# Without a region in the profile, the CLI prints nothing and exits with 1.
[[ -n $region ]] || region=$(aws configure get region) || true
[[ -n $region ]] || fail 2 "no region: set AWS_REGION, or one in the profile that AWS_PROFILE names"
export AWS_REGION=$region

# arn:aws-cn:sts::123456789012:assumed-role/deploy/ci
IFS=: read -r _ partition _ _ account _ <<<"$(asked sts get-caller-identity --query Arn --output text)"
[[ $account =~ ^[0-9]{12}$ ]] || fail 8 "AWS did not say whose credentials these are"
machine="arn:$partition:states:$region:$account:stateMachine:$stack-migrate-$kind"

# AWS blocks a name for 90 days, so each attempt has its own. The plan refuses a second start during a migration
# (LockHeld).
execution=$(asked stepfunctions start-execution --state-machine-arn "$machine" \
    --name "$name-$(date -u +%Y%m%dT%H%M%SZ)" --input "$input" \
    --query executionArn --output text)
printf 'started %s\n' "$execution" >&2
continues="the migration continues: $execution"

# Prints status, error, cause and output in one line, separated by tabs.
describe() {
    aws stepfunctions describe-execution --execution-arn "$execution" \
        --query '[status, error, cause, output]' --output text 2>&1
}

# A poll that fails is not a failed migration, which continues without us. But waiting does not renew credentials.
failures=0
while :; do
    if seen=$(describe); then
        failures=0
        status=${seen%%$'\t'*}
        [[ $status == RUNNING ]] || break
    else
        failures=$((failures + 1))
        case "$seen" in
            *ExpiredToken* | *AccessDenied* | *InvalidClientTokenId* | *UnrecognizedClient* | *"Unable to locate cred"*)
                fail 8 "$seen"$'\n'"$continues"
                ;;
        esac
        ((failures < 20)) || fail 8 "$seen"$'\n'"20 polls in a row failed; $continues"
    fi
    ((SECONDS < longest)) || fail 6 "no end after $longest s; $continues"
    sleep "$poll"
done

IFS=$'\t' read -r status error cause output <<<"$seen"
# A fleet's execution also succeeds where another one conducts the run.
verdict=
if [[ $kind == fleet && $output =~ \"verdict\":[[:space:]]*\"([a-z]+)\" ]]; then
    verdict=${BASH_REMATCH[1]}
fi
# The cause of a function's error is JSON that contains its message.
if [[ $cause =~ \"errorMessage\":[[:space:]]*\"((\\.|[^\"\\])*)\" ]]; then
    cause=${BASH_REMATCH[1]//\\\"/\"}
fi
case "$status:$error" in
    SUCCEEDED:*)
        case "$verdict" in
            elsewhere) fail 5 "$name: another execution conducts the run, and this one did not begin it: $output" ;;
            continued) fail 6 "$name: the run continues in another execution: $output" ;;
        esac
        printf '%s has migrated\n' "$name"
        exit 0
        ;;
    FAILED:RolledBack | FAILED:Incomplete) code=3 ;;
    FAILED:Aborted | FAILED:Returned) code=4 ;;
    FAILED:Halted | FAILED:Stopped) code=7 ;;
    FAILED:LockHeld) code=5 ;;
    FAILED:Refused | FAILED:InvalidRequest) code=2 ;;
    *) code=1 ;;
esac
fail "$code" "$name: $status $error: $cause"
