import { busContract } from './bus.ts'
import { startBus, takeLease } from './bus-embedded.fixture.ts'

busContract('embedded', { claimNeedsLease: true, dedup: true, strict: true }, async () => {
  const fixture = await startBus()
  const keeper = await fixture.connect()
  return {
    connect: () => fixture.connect(),
    hold: (source, holder) => takeLease(keeper, source, holder),
    freeze: () => void fixture.child.kill('SIGSTOP'),
    thaw: () => void fixture.child.kill('SIGCONT'),
    close: () => fixture.close(),
  }
})
