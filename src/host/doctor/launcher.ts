import type {Host} from '../host.js'
import {findInterpreter, type Interpreter, ISOLATED} from '../script.js'
import {type Check, fail, pass} from './check.js'
import {installSteps} from './install-steps.js'
import {runTrial} from './trial.js'

const TROUBLE = {
  cost: 'No environment can be created or entered: a program in Perl or Python joins one and loads its system call filter. What is there can be listed, shown, stopped, renamed and removed, and images can be fetched.',
  remedy: 'Ask an administrator to install the package perl-base (or perl), or python3.',
}

/** Tells the version where all is there that a session needs: Perl's core, or Python with ctypes. */
const TRIALS: Readonly<Record<Interpreter['name'], readonly string[]>> = {
  perl: ['-e', 'printf "%vd", $^V'],
  python3: [
    ...ISOLATED,
    '-c',
    'import ctypes, sys; ctypes.CDLL(None); print("%d.%d.%d" % sys.version_info[:3], end="")',
  ],
}

/** Perl or Python makes the system calls that Node has no function for. */
export async function checkLauncher(
  host: Pick<Host, 'which'>,
  distribution: string | undefined,
): Promise<Check> {
  const request = {
    steps: installSteps(distribution, 'perl-base'),
    opens: 'Nothing: it is an interpreter without rights of its own.',
  }
  const interpreter = findInterpreter(host)
  if (interpreter === undefined) {
    return fail('launcher', {
      ...TROUBLE,
      request,
      evidence: `perl and python3 were not found.${await noteSetpriv(host)}`,
    })
  }
  const {name, path} = interpreter
  const {status, stdout} = await runTrial([path, ...TRIALS[name]])
  if (status !== 0) {
    const wanted = name === 'python3' ? ' where it was to load its module ctypes' : ''
    return fail('launcher', {...TROUBLE, request, evidence: `${path} ended with status ${status}${wanted}.`})
  }
  const note = name === 'python3' ? ' perl, with which a session starts sooner, was not found.' : ''
  return pass('launcher', `${name} ${stdout} at ${path}.${note}`)
}

/** The option itself is tried: setpriv has it since util-linux 2.41. */
async function noteSetpriv({which}: Pick<Host, 'which'>): Promise<string> {
  const setpriv = which('setpriv')
  if (setpriv === undefined) return ''
  const {status} = await runTrial([setpriv, '--seccomp-filter', '/dev/null', '--version'])
  return status === 0 ? " setpriv can load a filter, but can't join." : ''
}
