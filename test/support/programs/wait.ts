// Works until it is told to stop, tidies up, and says by what it was told.
import {setTimeout as sleep} from 'node:timers/promises'
import {catchInterruption} from '../../../src/cli/command.js'
import {EnvsError} from '../../../src/errors.js'

const {signal} = catchInterruption()
process.stdout.write('ready\n')
await sleep(30_000, undefined, {signal}).catch(() => {})
process.stdout.write('tidied up\n')
const reason: unknown = signal.reason
if (process.argv[2] === 'hang') await sleep(30_000)
if (reason instanceof EnvsError) process.exitCode = reason.exitCode
