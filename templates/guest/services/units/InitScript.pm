# Init scripts in the place of units: what their LSB header says, as settings of a unit.
package InitScript;
use v5.12;
use warnings;

my $FOLDER = '/etc/init.d';
# Services start in run level 2 to 5; a link there with S is an enabled script.
my $RUN_LEVEL = '/etc/rc2.d';
my $MAX_HEADER_BYTES = 16_384;
# Names of facilities that start with "$"; the others are always there.
my %TARGET = ('$network' => 'network.target', '$named' => 'nss-lookup.target', '$remote_fs' => 'remote-fs.target', '$time' => 'time-sync.target');

sub path_of {
  my ($name) = @_;
  return $name =~ /^([\w.+-]+)\.service$/ ? "$FOLDER/$1" : undef;
}

# Returns the settings of NAME.service; undef without a script.
sub settings_of {
  my ($name) = @_;
  my $path = path_of($name) // return;
  return unless -f $path && -x _;
  my %header = header_of($path);
  my @after = map { $TARGET{$_} // (/^\$/ ? () : "$_.service") } map { split ' ', $header{$_} // '' } qw(Required-Start Should-Start);
  return {
    'Unit.Description'        => [$header{'Short-Description'} // "init script $path"],
    'Unit.After'              => [@after],
    'Service.Type'            => ['forking'],
    'Service.RemainAfterExit' => ['yes'],
    'Service.GuessMainPID'    => ['no'],
    'Service.TimeoutSec'      => ['5min'],
    'Service.KillMode'        => ['process'],
    'Service.ExecStart'       => ["$path start"],
    'Service.ExecStop'        => ["$path stop"],
    (has_reload($path) ? ('Service.ExecReload' => ["$path reload"]) : ()),
    # Otherwise lsb's functions see a running systemd and call systemctl, which calls this script.
    'Service.Environment'     => ['_SYSTEMCTL_SKIP_REDIRECT=true SYSTEMCTL_SKIP_REDIRECT=true'],
  };
}

# Enabled scripts, as names of units.
sub enabled {
  opendir(my $folder, $RUN_LEVEL) or return;
  return map { /^S\d\d([\w.+-]+)$/ ? "$1.service" : () } sort readdir $folder;
}

sub is_enabled {
  my ($name) = @_;
  return scalar grep { $_ eq $name } enabled();
}

# Between "### BEGIN INIT INFO" and "### END INIT INFO".
sub header_of {
  my ($path) = @_;
  my ($block) = beginning_of($path) =~ /^### BEGIN INIT INFO\s*$(.*?)^### END INIT INFO/ms or return;
  my (%header, $key);
  for my $line (split /\n/, $block) {
    if ($line =~ /^#\s([\w-]+):\s*(.*?)\s*$/) { $header{$key = $1} = $2 }
    elsif (defined $key && $line =~ /^#(?:\t|\s{2,})(.*?)\s*$/) { $header{$key} .= " $1" }
  }
  return %header;
}

sub has_reload { return beginning_of($_[0]) =~ /^\s*(?:[\w-]+\s*\|\s*)*reload\b[^\n]*\)/m }

sub beginning_of {
  my ($path) = @_;
  open(my $file, '<', $path) or return '';
  read($file, my $text, $MAX_HEADER_BYTES);
  return $text // '';
}

1;
