import type {SandboxFeature} from './feature.js'

/**
 * Runs programs of a foreign architecture with QEMU, through a private table of interpreters (binfmt_misc). The table of the
 * initial user namespace is valid for the whole machine. Few environments need a table, so its code is loaded on demand.
 */
export const qemuTable: SandboxFeature = {
  id: 'qemu-table',
  // With proot, `emulationFor` throws.
  engines: ['bwrap', 'unshare', 'proot'],
  async apply(spec, {host, environment: {record, files}, engine}) {
    if (record.architecture === host.architecture) return spec
    const {emulationFor, withEmulation} = await import('./emulation.js')
    const {architecture, identity} = record
    const emulation = await emulationFor(host, architecture, {engine, identity})
    return withEmulation(spec, {host, emulation, folder: files.run})
  },
  async checks(host) {
    const {checkProcessors} = await import('../doctor/programs.js')
    return [await checkProcessors(host)]
  },
}
