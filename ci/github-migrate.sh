#!/usr/bin/env bash
# What the GitHub action runs: finds or builds crossfade, starts the migration, waits, and exits with crossfade's exit
# code. crossfade itself writes the annotations, the job's summary and the step's outputs.
set -euo pipefail

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

arguments=(start --wait --output github --stack "$INPUT_STACK" --timeout "$INPUT_TIMEOUT")
[[ -n "${INPUT_REGION:-}" ]] && arguments+=(--region "$INPUT_REGION")
[[ -n "${INPUT_POLICY:-}" ]] && arguments+=(--policy "$INPUT_POLICY")
# Last, so that it is never read as a flag.
arguments+=(-- "$INPUT_SERVICE")

code=0
"$crossfade" "${arguments[@]}" || code=$?
# Even if crossfade did not see an end: time up, no access, bad input.
echo "exit-code=$code" >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$code"
