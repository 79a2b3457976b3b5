import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  /** Prints each argument, a NUL after it. */
  const PRINT = ['printf', '%s\\0']

  for (const [what, words] of [
    ['empty ones', ['', '', 'a', '']],
    ['spaces and tabs', ['a b', '  ', '\t']],
    ['line ends', ['a\nb', '\n', 'c\r\n']],
    [
      'quotes and signs of a shell',
      [`'`, '"', '`id`', '$(id)', '$HOME', '\\', '*', '~', ';', '&&', '|', '!'],
    ],
    ['the same one repeatedly', ['a', 'a', 'b', 'a', 'a']],
    ['letters beyond ASCII', ['ä', '日本', '🙂']],
    ['what looks like options of ours', ['--help', '--json', '-h', '--version', '-x', '--quiet', '-u', 'x']],
    ['separators', ['--', 'a', '--', '--']],
  ] as const) {
    test(`${identity}: the guest gets ${what} to the letter`, {skip}, async () => {
      const {cli} = await play()
      const ran = await cli.run('run', 'play', ...PRINT, ...words)
      const stdout = words.map((word) => `${word}\0`).join('')
      assert.deepEqual(ran, {status: 0, signal: null, stdout, stderr: ''})
    })
  }

  test(`${identity}: one separator after NAME is ours, the next is the guest's`, {skip}, async () => {
    const {cli} = await play()
    const ran = await cli.run('run', 'play', '--', ...PRINT, '--', 'a')
    assert.equal(ran.stdout, '--\0a\0')
  })

  test(`${identity}: a program's name may begin with a dash`, {skip}, async () => {
    const {cli} = await play()
    const ran = await cli.run('run', 'play', '-x', '--json')
    assert.deepEqual(
      [ran.status, ran.stdout, ran.stderr.split('\n')[0]],
      [127, '', 'envs: The command "-x" was not found in "play".'],
    )
  })

  test(`${identity}: exec is another name of run`, {skip}, async () => {
    const {cli} = await play()
    assert.equal((await cli.run('exec', 'play', ...PRINT, '--help')).stdout, '--help\0')
  })

  test(`${identity}: an argument of a hundred thousand letters arrives`, {skip}, async () => {
    const {run} = await play()
    const ran = await run('sh', '-c', 'echo $#: $1', 'sh', 'x'.repeat(100_000))
    assert.equal(ran.stdout, `1: ${'x'.repeat(100_000)}\n`)
  })
}
