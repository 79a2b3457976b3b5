import assert from 'node:assert/strict'
import type {Identity} from '../../src/sandbox/identity.js'
import {type Guest, sharedGuest} from './guest.js'

/** Files of the guest by path. */
type Files = Readonly<Record<string, string>>

/** One environment with the supervisor as its first process, and these files in it; shared by the tests of a file. */
export function servicesGuest(identity: Identity, files: Files): () => Promise<Guest> {
  const play = sharedGuest(identity)
  let prepared: Promise<Guest> | undefined
  return () => {
    prepared ??= play().then((guest) => prepare(guest, files))
    return prepared
  }
}

async function prepare(guest: Guest, files: Files): Promise<Guest> {
  const {cli} = guest
  const set = await cli.run('set', 'play', 'init=services')
  assert.equal(set.status, 0, set.stderr)
  // While the environment is up, so that units are found by daemon-reload as well as at the next start.
  for (const [path, text] of Object.entries(files)) {
    const ran = await guest.runWith({input: text}, 'sh', '-c', PUT, 'sh', path)
    assert.equal(ran.status, 0, ran.stderr)
  }
  const ran = await guest.sh('systemctl daemon-reload && systemctl is-system-running --wait')
  assert.deepEqual([ran.stdout, ran.stderr], ['running\n', ''])
  return guest
}

const PUT =
  'mkdir -p "$(dirname "$1")" && cat >"$1" && case $1 in *.service | *.socket | *.timer) ;; *) chmod 755 "$1" ;; esac'
