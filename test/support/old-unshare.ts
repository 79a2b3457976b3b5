import {chmod, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {temporaryFolder} from './temporary-folder.js'

/**
 * A folder to put in front in PATH: its `unshare` is as util-linux 2.37 had it, without --map-auto, and else the
 * host's own.
 */
export async function oldUnshare(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'unshare')
  const program = `#!/bin/sh
for word; do
  case $word in
    --) break ;;
    --map-auto) echo "unshare: unrecognized option '--map-auto'" >&2; exit 1 ;;
    --version) echo 'unshare from util-linux 2.37.2'; exit 0 ;;
  esac
done
exec ${openHost().which('unshare')} "$@"
`
  await writeFile(path, program)
  await chmod(path, 0o755)
  return folder
}
