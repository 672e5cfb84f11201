/** What befalls a simulated world. Each seed draws its own mix of kinds, so that some worlds are full of one kind only. */
import type { Place, World } from './world.ts'

type Fault = (world: World, place: Place) => void

/** Every kind, by name. */
export const faults: Readonly<Record<string, Fault>> = {
  crash(world, place) {
    const told = world.random.chance(0.7)
    const downMs = world.random.pick([1, 30, 400, 2_500])
    world.say(`world   ${place.id} crashes${told ? '' : ', unseen'}, back in ${downMs} ms`)
    world.kill(place, told)
    world.after(downMs, () => place.alive || world.start(place))
  },
  crashAll(world) {
    world.say('world   all crash')
    for (const place of world.places) {
      world.kill(place, world.random.chance(0.5))
      world.after(world.random.between(1, 500), () => place.alive || world.start(place))
    }
  },
  pause(world, place) {
    const ms = world.random.pick([60, 700, 2_200, 4_000])
    const { process } = place
    world.say(`world   ${place.id} is paused for ${ms} ms`)
    process.pause()
    world.after(ms, () => {
      world.say(`world   ${place.id} goes on`)
      process.resume()
    })
  },
  cut(world, place) {
    const ms = world.random.pick([5, 200, 1_200, 3_000])
    const deliver = world.random.chance(0.5)
    const links = [...new Set([place.bus, place.lockBus])].map(({ link }) => link)
    const cut = world.random.chance(0.5) ? links : [world.random.pick(links)]
    world.say(`world   ${cut.map(({ session }) => session).join(' and ')} cut off for ${ms} ms`)
    for (const link of cut) link.cut({ deliver })
    world.after(ms, () => {
      for (const link of cut) link.mend()
    })
  },
  freezeLink(world, place) {
    const ms = world.random.pick([80, 600, 2_500])
    const { link } = world.random.pick([place.bus, place.lockBus])
    world.say(`world   requests of ${link.session} are held up for ${ms} ms`)
    link.freeze()
    world.after(ms, () => link.thaw())
  },
  freezeBus(world) {
    const ms = world.random.pick([50, 800, 3_000])
    world.say(`world   the bus is frozen for ${ms} ms`)
    world.bus.freeze()
    world.after(ms, () => world.bus.thaw())
  },
  restartBus(world) {
    const ms = world.random.pick([0, 40, 900])
    world.say(`world   the bus restarts, down ${ms} ms`)
    world.bus.restart(ms)
  },
  loss(world) {
    const ms = world.random.between(100, 1_500)
    world.net.lossy = world.random.pick([0.02, 0.15, 0.5])
    world.say(`world   messages are lost (${world.net.lossy}) for ${ms.toFixed(0)} ms`)
    world.after(ms, () => {
      world.net.lossy = 0
    })
  },
  slow(world) {
    const ms = world.random.between(200, 2_000)
    world.net.delayMs = world.net.usualMs * world.random.pick([5, 40])
    world.say(`world   messages take ${world.net.delayMs} ms for ${ms.toFixed(0)} ms`)
    world.after(ms, () => {
      world.net.delayMs = world.net.usualMs
    })
  },
  full(world) {
    const ms = world.random.pick([100, 1_000, 7_000])
    world.say(`world   the bus is full for ${ms} ms`)
    const filled = world.places.map(({ replica }) => replica?.client)
    for (const client of filled) if (client) client.full = true
    world.after(ms, () => {
      for (const client of filled) if (client) client.full = false
    })
  },
  falseSuspicion(world, place) {
    world.say(`world   ${place.id} is said to be dead`)
    for (const other of world.places)
      if (other.alive && world.random.chance(0.7)) other.replica.client.suspect(place.id)
  },
  handOver(world, place) {
    const successor = world.random.chance(0.5) ? world.random.pick(world.places).id : undefined
    world.say(`world   ${place.id} is to hand over to ${successor ?? 'whom it may concern'}`)
    const { replica } = place
    place.process.reach(() => void (world.calm || replica.handOver(successor)))
  },
  stop(world, place) {
    world.say(`world   ${place.id} is stopped, and killed if it takes too long`)
    const { replica, process } = place
    process.reach(() => void (world.calm || replica.stop()))
    world.after(world.random.pick([100, 2_000]), () => {
      if (place.process !== process) return
      world.kill(place, true)
      world.start(place)
    })
  },
  edit(world) {
    world.say('world   the object is edited')
    world.edit()
    const { object } = world
    for (const { alive, process, replica } of world.places) if (alive) process.reach(() => replica.apply(object))
  },
  /** Of what is read, and of snapshots, no answer comes; events and claims go through, so the lead does not end by itself. */
  unanswered(world) {
    const ms = world.random.pick([200, 1_000, 4_000])
    const calls = world.random.pick([
      ['tail'],
      ['loadSnapshot'],
      ['saveSnapshot'],
      ['tail', 'loadSnapshot', 'saveSnapshot'],
    ])
    world.say(`world   ${calls} have no answer for ${ms} ms`)
    world.net.unanswered = calls
    world.after(ms, () => {
      world.net.unanswered = []
    })
  },
  wallClock(world, place) {
    const ms = world.random.between(-4e6, 4e6)
    world.say(`world   the wall clock of ${place.id} jumps by ${ms.toFixed(0)} ms`)
    place.process.stepWall(ms)
  },
  incarnation(world) {
    world.say('world   the supervisor starts anew, its old processes linger')
    world.bus.nextIncarnation()
    for (const place of world.places) {
      if (!place.alive) continue
      const orphan = { ...place }
      world.orphans.push(orphan)
      world.after(world.random.between(0, 1_000), () => world.kill(orphan, true))
      world.start(place)
    }
  },
}

/** Half of what befalls a single replica befalls the leader, where it hurts. */
function victim(world: World): Place | undefined {
  const alive = world.places.filter(({ alive }) => alive)
  const leader = world.leader()
  return leader !== undefined && world.random.chance(0.5) ? leader : world.random.pick(alive)
}

/** Schedules faults over `lastsMs`. `restore` ends all that still goes on. */
export function drawFaults(world: World, lastsMs: number): { lastsMs: number; restore: () => void } {
  const { random } = world
  const kinds = Object.keys(faults).filter(() => random.chance(0.35))
  if (kinds.length === 0) kinds.push(random.pick(Object.keys(faults)))
  const meanGapMs = random.pick([150, 400, 1_000])
  for (let at = 0; at < lastsMs; at += random.between(0, 2 * meanGapMs)) {
    world.after(at, () => {
      const kind = random.pick(kinds)
      const place = victim(world)
      if (place === undefined) return
      world.count(kind)
      faults[kind]?.(world, place)
    })
  }
  return {
    lastsMs,
    restore() {
      world.bus.thaw()
      world.net.lossy = 0
      world.net.unanswered = []
      world.net.delayMs = world.net.usualMs
      for (const orphan of world.orphans) world.kill(orphan, true)
      for (const place of world.places) {
        if (!place.alive || place.replica.stopping) {
          world.kill(place, true)
          world.start(place)
        }
        place.replica.client.full = false
        place.process.resume()
        for (const { link } of new Set([place.bus, place.lockBus])) {
          link.thaw()
          link.mend()
        }
      }
    },
  }
}
