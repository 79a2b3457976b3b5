import assert from 'node:assert/strict'
import {test} from 'node:test'
import {fileScope} from '../../support/file-scope.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {type HostTerminal, hostTerminal, type Pane} from '../../support/host-terminal.js'

const INSTALL =
  'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends gpg gpg-agent nano passwd pinentry-curses python3 sudo tmux'

/** That pinentry takes without asking whether it is a good one. */
const PASSPHRASE = 'Correct-Horse-9-Battery'

for (const {identity, skip} of IDENTITIES) {
  const shared = sharedGuest(identity)
  const scope = fileScope()
  let made: Promise<{guest: Guest; terminal: HostTerminal}> | undefined
  const prepare = () => {
    made ??= shared().then(async (guest) => {
      const installed = await guest.sh(INSTALL)
      assert.equal(installed.status, 0, installed.stdout + installed.stderr)
      return {guest, terminal: await hostTerminal(scope, guest.cli)}
    })
    return made
  }
  const terminalTest = (name: string, body: (pane: Pane, guest: Guest) => Promise<void>) =>
    test(`${identity}: ${name}`, {skip}, async () => {
      const {guest, terminal} = await prepare()
      const pane = await terminal.open()
      try {
        await body(pane, guest)
      } finally {
        await pane.close()
      }
    })

  terminalTest('tmux draws, is left, is come back to, and follows the size', async (pane) => {
    await pane.enter('envs run play -- tmux new-session -s work')
    await pane.shows(/^\[work\] 0:/m)
    await pane.type('echo in""side; stty size\r')
    await pane.shows(/^inside\n23 80$/m)
    await pane.resize(100, 30)
    await pane.type('clear; stty size\r')
    await pane.shows(/^29 100$/m)
    await pane.type('\x02d')
    await pane.shows(/^\[detached \(from session work\)\]\nhost\$$/m)
    await pane.enter('envs run play -- tmux attach')
    await pane.shows(/^\[work\] 0:/m)
    await pane.type('clear; echo ba""ck\r')
    await pane.shows(/^back$/m)
    await pane.type('exit\r')
    await pane.shows(/^\[exited\]\nhost\$$/m)
    assert.match(await pane.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
  })

  terminalTest(
    'an editor shows a file, saves it, and stands still while the shell is used',
    async (pane, guest) => {
      await pane.enter('envs run play -- bash -ic "nano /root/letter; exit 3"')
      await pane.shows(/GNU nano/)
      await pane.type('Dear reader')
      await pane.shows(/^Dear reader$/m)
      await pane.type('\x0f\r')
      await pane.shows(/Wrote 1 line/)
      await pane.type('\x18')
      await pane.shows(/^host\$$/m)
      assert.equal(await pane.ask('echo $?'), '3\n')
      assert.equal((await guest.sh('cat /root/letter')).stdout, 'Dear reader\n')
    },
  )

  terminalTest('a Python prompt answers, survives Ctrl-C, and ends with Ctrl-D', async (pane) => {
    await pane.enter('envs run --env PYTHON_BASIC_REPL=1 play -- python3')
    await pane.shows(/^>>>$/m)
    await pane.type('6 * 7\r')
    await pane.shows(/^42\n>>>$/m)
    await pane.type('import time; time.sleep(300)\r')
    await pane.shows(/^>>> import time; time.sleep\(300\)$/m)
    await pane.type('\x03')
    await pane.shows(/^KeyboardInterrupt\n>>>$/m)
    await pane.type('\x04')
    await pane.shows(/host\$$/m)
    // The prompt that needs no further module remembers the interruption.
    assert.equal(await pane.ask('echo $?'), '130\n')
  })

  terminalTest(
    'pinentry asks on the terminal, and nothing of the passphrase is shown',
    async (pane, guest) => {
      await guest.sh('rm -rf /root/secret.gpg /root/.gnupg')
      await pane.enter(
        `envs run play -- sh -c 'export GPG_TTY=$(tty); echo content | gpg --quiet --symmetric -o /root/secret.gpg; echo sta""tus $?'`,
      )
      await pane.shows(/Repeat: _/)
      // On to the second field.
      await pane.type(`${PASSPHRASE}\t`)
      await pane.shows(/Passphrase: \*+_/)
      await pane.type(`${PASSPHRASE}\r`)
      assert.doesNotMatch(await pane.shows(/^status 0$/m), new RegExp(PASSPHRASE))
      const decrypt = `gpg --quiet --batch --pinentry-mode loopback --passphrase ${PASSPHRASE} -d /root/secret.gpg; gpgconf --kill gpg-agent`
      assert.equal((await guest.sh(decrypt)).stdout, 'content\n')
    },
  )

  // Where users are emulated there is no other user to become from one of them.
  if (identity === 'mapped') {
    terminalTest('sudo asks for a password, on a terminal and in a pipeline', async (pane, guest) => {
      const made = await guest.sh('useradd -m -G sudo -s /bin/bash dev && echo dev:hidden | chpasswd')
      assert.equal(made.status, 0, made.stderr)
      for (const [before, after] of [
        ['', ''],
        ['echo piped |', '| cat'],
      ]) {
        await pane.enter(`${before} envs run --user dev play -- sudo -k id -un ${after}`)
        await pane.shows(/password for dev:$/m)
        await pane.type('hidden\r')
        assert.doesNotMatch(await pane.shows(/^root\nhost\$$/m), /hidden/)
      }
      assert.match(await pane.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
    })
  }
}
