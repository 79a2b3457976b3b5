import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {fileScope} from '../../support/file-scope.js'
import {IDENTITIES, putProgram, sharedGuest} from '../../support/guest.js'
import {type HostTerminal, hostTerminal, type Pane} from '../../support/host-terminal.js'
import {guestProgramsBelow, hostProgramsBelow, isCooked, stateOf} from '../../support/process-tree.js'
import {commandsIn} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

const PROMPT = '(play)root@play:~#'

/** Says that it is there, then what it reads. */
const ECHOING = `#!/usr/bin/perl
$| = 1;
print "ready\n";
while (<STDIN>) { print "got $_" }
print "end\n";
`

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)
  const scope = fileScope()
  let terminal: Promise<HostTerminal> | undefined
  const openPane = async (): Promise<Pane> => {
    terminal ??= play().then(async (guest) => {
      await putProgram(guest, '/usr/local/bin/echoing', ECHOING)
      return hostTerminal(scope, guest.cli)
    })
    return (await terminal).open()
  }
  const terminalTest = (name: string, body: (pane: Pane) => Promise<void>) =>
    test(`${identity}: ${name}`, {skip}, async () => {
      const pane = await openPane()
      try {
        await body(pane)
      } finally {
        await pane.close()
      }
    })

  terminalTest('Ctrl-Z stops a plain command and all of its job, and fg goes on with it', async (pane) => {
    await pane.enter('envs run play -- echoing')
    await pane.shows(/^ready$/m)
    await pane.type('\x1a')
    await pane.shows(/^\[1\]\+ +Stopped/m)
    await pane.shows(/^host\$$/m)
    const [command] = guestProgramsBelow(pane.pid)
    assert.ok(command !== undefined)
    await waitUntil('the command to stand still', () => stateOf(command) === 'T')
    assert.match(await pane.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
    await pane.resume()
    await pane.type('hello\r')
    await pane.shows(/^got hello$/m)
    await pane.type('\x1a')
    await pane.shows(/^\[1\]\+ +Stopped/m)
    await pane.resume()
    await pane.type('again\r\x04')
    await pane.shows(/^got again\nend\nhost\$$/m)
    assert.match(await pane.ask('echo status $?'), /^status 0$/m)
  })

  terminalTest('a stopped command goes on in the background, and ends by a signal', async (pane) => {
    const counts = `perl -e '$| = 1; for (1 .. 10000) { print "count $_\\n"; select undef, undef, undef, .05 }'`
    await pane.enter(`envs run play -- ${counts}`)
    await pane.shows(/^count 2$/m)
    await pane.type('\x1a')
    const stopped = await pane.shows(/^\[1\]\+ +Stopped/m)
    const last = Number([...stopped.matchAll(/^count (\d+)$/gm)].at(-1)?.[1])
    await pane.enter('bg')
    await pane.shows(new RegExp(`^count ${last + 3}$`, 'm'))
    await pane.enter('kill %1; wait; echo over')
    await pane.shows(/^over$/m)
    assert.deepEqual(guestProgramsBelow(pane.pid), [])
  })

  terminalTest('Ctrl-Z, then Ctrl-C of a plain sleep leaves nothing behind', async (pane) => {
    await pane.enter('envs run play -- sleep 200')
    await waitUntil('the command', async () => (await commandsIn(await play())).includes('sleep 200'))
    await pane.type('\x1a')
    await pane.shows(/^\[1\]\+ +Stopped/m)
    await pane.resume()
    await pane.type('\x03')
    await pane.shows(/^\^C\n?host\$$/m)
    assert.match(await pane.ask('echo status $?'), /^status 130$/m)
    assert.deepEqual(hostProgramsBelow(pane.pid), [])
  })

  terminalTest('Ctrl-Z stops what runs in a shell of the guest, and not the session', async (pane) => {
    await pane.enter('envs enter play')
    await pane.shows(PROMPT)
    await pane.enter('echoing')
    await pane.shows(/^ready$/m)
    await pane.type('\x1a')
    await pane.shows(/^\[1\]\+ +Stopped/m)
    await pane.enter('jobs; echo here $(hostname)')
    await pane.shows(/^here play$/m)
    await pane.enter('fg')
    await pane.shows(/fg\nechoing$/m)
    await pane.type('hello\r\x04')
    await pane.shows(/^got hello\nend$/m)
    await pane.enter('exit 6')
    await pane.shows(/^host\$$/m)
    assert.match(await pane.ask('echo status $?'), /^status 6$/m)
  })

  terminalTest(
    'a program that reads keys and stops itself, as editors do, gives the terminal back',
    async (pane) => {
      const program =
        'system "stty raw -echo"; $| = 1; print "keys\r\n"; sysread STDIN, my $key, 1; system "stty sane"; kill TSTP => $$; print "on again\n"'
      await pane.enter(`envs run play -- perl -e '${program}'`)
      await pane.shows(/^keys$/m)
      await pane.type('\x1a')
      await pane.shows(/^\[1\]\+ +Stopped/m)
      assert.match(await pane.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
      await pane.resume()
      await pane.shows(/^on again\nhost\$$/m)
    },
  )

  terminalTest('the size of the terminal is seen inside, and its changes', async (pane) => {
    await pane.enter('envs enter play')
    await pane.shows(PROMPT)
    await pane.enter('stty size')
    await pane.shows(/^24 80$/m)
    await pane.enter(`trap 'echo now $(stty size)' WINCH; echo tr""apped`)
    await pane.shows(/^trapped$/m)
    await pane.resize(101, 37)
    await pane.shows(/now 37 101$/m)
    await pane.enter('exit')
  })

  terminalTest('a size that changed while the job stood still is there when it goes on', async (pane) => {
    await pane.enter(`envs run play -- perl -e '$| = 1; print "rea", "dy\\n"; <STDIN>; system "stty size"'`)
    await pane.shows(/^ready$/m)
    await pane.type('\x1a')
    await pane.shows(/^\[1\]\+ +Stopped/m)
    await pane.resize(90, 30)
    await pane.resume()
    await pane.type('\r')
    await pane.shows(/^30 90$/m)
  })

  terminalTest('a command started in the background prints, and stops nobody', async (pane) => {
    await pane.enter(`envs run play -- sh -c 'echo from "the" background' & wait $!; echo status $?`)
    await pane.shows(/^from the background\n(?:.*\n)*status 0$/m)
  })

  terminalTest('a command in the background that reads the terminal waits for fg', async (pane) => {
    await pane.enter('envs run play -- echoing &')
    await pane.shows(/ready$/m)
    assert.match(await pane.ask('echo mine'), /^mine$/m)
    await pane.resume()
    await pane.type('hello\r\x04')
    await pane.shows(/^got hello\nend\nhost\$$/m)
    assert.match(await pane.ask('echo status $?'), /^status 0$/m)
  })

  terminalTest('a reader that leaves gives the terminal back', async (pane) => {
    await pane.enter('envs run play -- cat | head -n 1; echo status $PIPESTATUS')
    await pane.type('one\r')
    await pane.shows(/^one\none$/m)
    await pane.type('two\r')
    await pane.shows(/^status 141\nhost\$$/m)
    assert.match(await pane.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
  })

  terminalTest('a pipe from the terminal reaches the command', async (pane) => {
    assert.equal(await pane.ask('echo hi | envs run play -- cat'), 'hi\n')
  })

  terminalTest('a shell whose output goes to a file asks on the terminal', async (pane) => {
    await pane.enter('envs enter play >shell.out')
    await pane.shows(PROMPT)
    await pane.type('echo into the file; test -t 0 && test -t 2 && exit 4\r')
    await pane.shows(/^host\$$/m)
    assert.match(await pane.ask('echo status $?'), /^status 4$/m)
    const {cli} = await play()
    assert.equal(await readFile(join(cli.home, 'shell.out'), 'utf8'), 'into the file\n')
  })

  for (const [where, before, after] of [
    ['on a terminal', '', ''],
    ['of a command in a pipe line', 'echo piped |', '| cat'],
  ] as const) {
    terminalTest(`a password is asked for on /dev/tty ${where}, and not shown`, async (pane) => {
      const ask = `open my $tty, "+<", "/dev/tty" or die "no terminal: $!"; system "stty -echo </dev/tty"; syswrite $tty, "Pass" . "word: "; my $word = <$tty>; system "stty echo </dev/tty"; print "\\nlength ", length $word, "\\n"`
      await pane.enter(`${before} envs run play -- perl -e '${ask}' ${after}`)
      await pane.shows(/^Password:$/m)
      await pane.type('hidden\r')
      const shown = await pane.shows(/^length 7\nhost\$$/m)
      assert.doesNotMatch(shown, /hidden/)
      assert.match(await pane.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
    })
  }

  terminalTest('a terminal within the terminal works, as tmux and script make one', async (pane) => {
    await pane.enter('envs enter play')
    await pane.shows(PROMPT)
    await pane.enter(`script -qc 'bash --norc' /dev/null`)
    await pane.shows(/^bash-.*#$/m)
    await pane.enter('stty size; tty')
    await pane.shows(/^24 80\n\/dev\/pts\/\d+$/m)
    await pane.enter('exit')
    await pane.shows(PROMPT)
    await pane.enter('exit 9')
    await pane.shows(/^host\$$/m)
    assert.match(await pane.ask('echo status $?'), /^status 9$/m)
  })

  terminalTest('what is typed goes to the session whose terminal it is', async (pane) => {
    const other = await openPane()
    for (const each of [pane, other]) {
      await each.enter("envs run play -- sh -c 'tty; exec echoing'")
      await each.shows(/^ready$/m)
    }
    await pane.type('first\r')
    await other.type('second\r\x04')
    const [one, two] = [await pane.shows(/^got first$/m), await other.shows(/^got second\nend$/m)]
    assert.doesNotMatch(one, /second/)
    assert.doesNotMatch(two, /first/)
    const [nameOfOne, nameOfTwo] = [one, two].map((text) => /^\/dev\/pts\/\d+$/m.exec(text)?.[0])
    assert.ok(nameOfOne !== undefined && nameOfTwo !== undefined && nameOfOne !== nameOfTwo)
    await pane.type('still\r')
    await pane.shows(/^got still$/m)
    await other.close()
  })

  terminalTest('a closed terminal hangs up on the command', async (pane) => {
    const guest = await play()
    await guest.sh('rm -f /root/hung-up')
    const script = 'trap "echo yes >/root/hung-up; exit" HUP; echo rea""dy; while :; do sleep 0.05; done'
    await pane.enter(`envs run play -- sh -c '${script}'`)
    await pane.shows(/^ready$/m)
    const [command] = guestProgramsBelow(pane.pid)
    await pane.close()
    await waitUntil('the end of the command', () => stateOf(command ?? 0) === undefined)
    assert.equal((await guest.sh('cat /root/hung-up')).stdout, 'yes\n')
  })

  terminalTest('the terminal is as before after a command that left it raw', async (pane) => {
    await pane.enter(`sh -c 'envs run play -- stty raw -echo; echo over; sleep 50'`)
    await pane.shows(/^over$/m)
    assert.ok(await isCooked(pane.device))
  })
}
