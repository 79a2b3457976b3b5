import {chmod, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../src/host/host.js'

/**
 * A folder to put in front in PATH: its `bwrap` is as 0.8 had it, without --overlay, and else the host's own.
 *
 * @param folder - Where it is put; nothing else may be there.
 */
export async function oldBubblewrap(folder: string): Promise<string> {
  const path = join(folder, 'bwrap')
  // The options of an environment come on a descriptor, which can be read once.
  const program = `#!/bin/bash
refuse() { echo "bwrap: Unknown option $1" >&2; exit 1; }
for word; do
  case $word in
    --) break ;;
    --overlay*) refuse "$word" ;;
    --version) echo 'bubblewrap 0.8.0'; exit 0 ;;
  esac
done
if [ "$1" = --args ]; then
  mapfile -d '' -t options <&"$2"
  for word in "\${options[@]}"; do case $word in --overlay*) refuse "$word" ;; esac; done
  fd=$2
  shift 2
  exec {fd}<&-
  exec ${openHost().which('bwrap')} "\${options[@]}" "$@"
fi
exec ${openHost().which('bwrap')} "$@"
`
  await writeFile(path, program)
  await chmod(path, 0o755)
  return folder
}
