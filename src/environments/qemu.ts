import {DEB_ARCHITECTURES, qemuProgram} from '../host/architecture.js'
import {QEMU_TOOL} from '../host/find-qemu.js'
import type {ToolWish} from './fetch-tool.js'

/** QEMU's emulators of single programs. Debian's need no library since trixie, where other distributions' do. */
export const QEMU: ToolWish = {
  tool: QEMU_TOOL,
  packageName: 'qemu-user',
  programs: DEB_ARCHITECTURES.map((architecture) => `usr/bin/${qemuProgram(architecture)}`),
}
