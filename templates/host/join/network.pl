# The part of a plan that concerns a network of its own. Loaded by plan.pl, for environments that have one.
use v5.12;

my ($O_RDWR, $LOCK_SH, $LOCK_NB) = (2, 1, 4);
1;

# Returns whether all programs that serve the network run: else Node starts them again.
sub helpers_run {
  my ($plan) = @_;
  for my $path (@{$plan->{helpers}}) {
    return unless sysopen(my $lock, $path, $O_RDWR | $plan->{nofollow});
    return if flock($lock, $LOCK_SH | $LOCK_NB);
  }
  return 1;
}

# Returns the resolver settings for such a network, as src/features/resolver.ts: the host's servers may not be reached from there.
sub of_own_network {
  my ($plan, $settings) = @_;
  my ($head) = $plan->{resolver} =~ /^\+(.*)/s;
  return $head . $settings =~ s/^[ \t]*nameserver\b.*\n?//gmr;
}
