import assert from 'node:assert/strict'
import {test} from 'node:test'
import {ownGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'

test('Ctrl-C at a Python prompt interrupts what runs, and the prompt comes back', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  if ((await guest.sh('apt-get -qq update 2>&1')).status !== 0)
    return t.skip('no package mirror can be reached')
  const installed = await guest.sh('apt-get -qq install -y --no-install-recommends python3-minimal 2>&1')
  assert.equal(installed.status, 0, installed.stdout)
  const {screen, status} = await onTerminal(guest, 'envs run --env PYTHON_BASIC_REPL=1 play python3', [
    {after: '>>> ', send: 'import time; print("rea" + "dy"); time.sleep(50)\r'},
    {after: 'ready\r\n', send: '\x03'},
    {after: '>>> ', send: 'half a line\x03'},
    // A signal between the prompt and Python's read is noticed when a line comes.
    {after: '^C', send: '\r'},
    {after: '>>> ', send: 'raise SystemExit(6)\r'},
  ])
  assert.equal(screen.match(/KeyboardInterrupt/g)?.length, 2)
  assert.equal(status, 6)
})
