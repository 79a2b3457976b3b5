import assert from 'node:assert/strict'
import {test} from 'node:test'
import {byNode} from '../../support/front-door.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

/** The plain form of a session goes without the command library; with a flag it goes through it. */
for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [what, name, command] of [
    ['output and status', 'play', ['sh', '-c', 'echo out; echo err >&2; exit 3']],
    ['arguments', 'play', ['printf', '<%s>', '', 'a b', "it's", '--', '--help', '--json', 'a b']],
    ['the guest’s variables', 'play', ['env']],
    ['the folder', 'play', ['pwd']],
    ['the end by a signal', 'play', ['sh', '-c', 'kill -TERM $$']],
    ['a command that is not there', 'play', ['no-such-command']],
    ['a command that can not be executed', 'play', ['/etc']],
    ['an environment that is not there', 'nowhere', ['true']],
    ['a name that can not be', '..', ['true']],
  ] as const) {
    test(`${identity}: ${what} does not hang on whether a flag is given`, {skip}, async () => {
      const {cli} = byNode(await play())
      const plain = await cli.run('run', name, ...command)
      const withFlag = await cli.run('run', '--user', 'root', name, ...command)
      assert.deepEqual(plain, withFlag)
    })
  }

  test(`${identity}: a login shell does not hang on whether a flag is given`, {skip}, async () => {
    const {cli} = byNode(await play())
    const input = 'shopt -q login_shell && echo login; id -u; exit 4\n'
    const plain = await cli.runWith({input}, 'enter', 'play')
    assert.deepEqual(plain, await cli.runWith({input}, 'enter', '--user', 'root', 'play'))
    assert.equal(plain.status, 4)
  })
}
