#!/usr/bin/env bash
# What the GitHub action runs: finds or builds crossfade, starts the migration, waits, and exits with crossfade's exit
# code. crossfade itself writes the annotations, the job's summary and the step's outputs.
set -euo pipefail

wrong() {
    echo "::error title=crossfade::$1"
    echo "exit-code=2" >>"${GITHUB_OUTPUT:-/dev/null}"
    exit 2
}

if [[ -n "${INPUT_FLEET:-}" ]]; then
    [[ -z "${INPUT_SERVICE:-}" ]] || wrong "the inputs service and fleet exclude each other"
    [[ -z "${INPUT_POLICY:-}" ]] || wrong "the input policy is for a service; a fleet uses its stored policy"
    verb=(fleet start)
    name=$INPUT_FLEET
else
    [[ -n "${INPUT_SERVICE:-}" ]] || wrong "the input service is missing, or a fleet instead of it"
    verb=(start)
    name=$INPUT_SERVICE
fi

crossfade=${INPUT_CROSSFADE:-}
if [[ -z "$crossfade" ]] && command -v crossfade >/dev/null; then
    crossfade=crossfade
fi
if [[ -z "$crossfade" ]]; then
    if ! command -v cargo >/dev/null; then
        echo "::error title=crossfade::there is no crossfade on PATH, and no cargo to build it with; give the input crossfade"
        exit 1
    fi
    echo "::group::building crossfade from $ACTION_PATH"
    cargo build --release --locked --manifest-path "$ACTION_PATH/Cargo.toml" --package crossfade-cli --bin crossfade
    echo "::endgroup::"
    crossfade=${CARGO_TARGET_DIR:-$ACTION_PATH/target}/release/crossfade
fi

arguments=("${verb[@]}" --wait --output github --stack "$INPUT_STACK" --timeout "$INPUT_TIMEOUT")
[[ -n "${INPUT_REGION:-}" ]] && arguments+=(--region "$INPUT_REGION")
[[ -n "${INPUT_POLICY:-}" ]] && arguments+=(--policy "$INPUT_POLICY")
switch() {
    case "${2:-false}" in
        true) arguments+=("--$1") ;;
        false) ;;
        *) wrong "the input $1 is $2: expected true or false" ;;
    esac
}
[[ -z "${INPUT_FLEET:-}" || "${INPUT_IGNORE_AFTER:-false}" == false ]] ||
    wrong "the input ignore-after is for a service; a fleet keeps its order"
switch ignore-after "${INPUT_IGNORE_AFTER:-}"
switch now "${INPUT_NOW:-}"
[[ -z "${INPUT_FLEET:-}" || "${INPUT_PROBE_FROM_HERE:-false}" == false ]] ||
    wrong "the input probe-from-here is for a service; a function sends the probes of a fleet"
switch probe-from-here "${INPUT_PROBE_FROM_HERE:-}"
[[ -n "${INPUT_REASON:-}" ]] && arguments+=(--reason "$INPUT_REASON")
# Last, so that it is never read as a flag.
arguments+=(-- "$name")

code=0
"$crossfade" "${arguments[@]}" || code=$?
# Even if crossfade did not see an end: time up, no access, bad input.
echo "exit-code=$code" >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$code"
