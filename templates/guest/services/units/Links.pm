# "enable", "disable", "mask": links in /etc/systemd/system that an [Install] section names. See systemctl(1).
package Links;
use v5.12;
use warnings;
use Account;
use InitScript;
use UnitFile;
use Units;

my $FOLDER = '/etc/systemd/system';
my @PRESET_FOLDERS = qw(/etc/systemd/system-preset /run/systemd/system-preset /usr/local/lib/systemd/system-preset /usr/lib/systemd/system-preset);

# Returns "enabled", "disabled", "static", "masked", "alias", "generated", "indirect"; an empty text without a file.
sub state_of {
  my ($name) = @_;
  my $template = Units::template_of($name);
  my ($path) = grep { lstat } map { my $file = $_; map { "$_/$file" } @Units::FOLDERS } $name, $template // ();
  if (!defined $path) { return InitScript::settings_of($name) ? InitScript::is_enabled($name) ? 'enabled' : 'disabled' : '' }
  return 'masked' if Units::is_masked($path);
  return 'alias' if defined Units::alias_of($name, $path);
  return 'generated' if $path =~ m{^/run/systemd/generator};
  return 'enabled' if links_to($name);
  my %set;
  UnitFile::read_into(\%set, $name, $path);
  return 'disabled' if grep { /^Install\.(?:WantedBy|RequiredBy|UpheldBy|Alias)$/ } keys %set;
  return $set{'Install.Also'} ? 'indirect' : 'static';
}

# Links of other units to this one; of a template, to any instance.
sub links_to {
  my ($name) = @_;
  my $pattern = $name =~ /^([^@]+)@(\.\w+)$/ ? qr/^\Q$1\E@.*\Q$2\E$/ : qr/^\Q$name\E$/;
  my @found;
  for my $folder (@Units::FOLDERS) {
    next if $folder =~ m{^/run/systemd/generator};
    for my $group (Units::files_in($folder, qr/\.(?:wants|requires)$/)) { push @found, Units::files_in($group, $pattern) }
  }
  return @found;
}

# Makes the links. Returns (status, text).
sub enable {
  my ($name, $seen) = @_;
  $seen //= {};
  return (0, '') if $seen->{$name}++;
  my $file = Units::template_of($name) // $name;
  my ($path) = grep { -f } map { ("$_/$name", "$_/$file") } @Units::FOLDERS;
  if (!defined $path) {
    return (0, set_script($name, 'defaults')) if InitScript::settings_of($name);
    return (1, "Failed to enable unit: Unit $name does not exist\n");
  }
  return (1, "Failed to enable unit: Unit $name is masked\n") if Units::is_masked($path);
  my %set;
  UnitFile::read_into(\%set, $name, $path);
  my $unit = {set => \%set};
  my $text = '';
  my $target = $name;
  # A template alone stands for its default instance.
  if ($name =~ /^([^@]+@)(\.\w+)$/) {
    my $default = UnitFile::value($unit, 'Install.DefaultInstance');
    $target = "$1$default$2" if defined $default;
  }
  for ([WantedBy => 'wants'], [RequiredBy => 'requires'], [UpheldBy => 'upholds']) {
    my ($key, $suffix) = @$_;
    for my $wanting (grep { Units::is_valid_name($_) } UnitFile::words_of($unit, "Install.$key")) { $text .= add_link("$FOLDER/$wanting.$suffix/$target", $path) }
  }
  for my $alias (grep { Units::is_valid_name($_) } UnitFile::words_of($unit, 'Install.Alias')) { $text .= add_link("$FOLDER/$alias", $path) if $alias ne $name }
  for my $other (UnitFile::words_of($unit, 'Install.Also')) { $text .= (enable($other, $seen))[1] if Units::is_valid_name($other) }
  return (0, $text);
}

sub add_link {
  my ($link, $path) = @_;
  return '' if (readlink $link // '') eq $path;
  Account::make_path($link =~ s{/[^/]+$}{}r);
  unlink $link if -l $link;
  return symlink($path, $link) ? "Created symlink '$link' -> '$path'.\n" : "$link: $!\n";
}

sub disable {
  my ($name) = @_;
  my $text = '';
  for my $link (grep { m{^/etc/|^/run/} && -l } links_to($name), aliases_of($name)) {
    $text .= "Removed '$link'.\n" if unlink $link;
  }
  $text .= set_script($name, 'remove') if !Units::has_file($name) && InitScript::settings_of($name);
  return (0, $text);
}

sub aliases_of {
  my ($name) = @_;
  return grep { -l && (readlink $_) =~ m{(?:^|/)\Q$name\E$} } Units::files_in($FOLDER, qr/\.(?:service|socket|timer|target)$/);
}

# As the preset files say, in which the first line that fits counts. Packages are enabled so. See systemd.preset(5).
sub preset {
  my ($name) = @_;
  my %by_file;
  for my $folder (reverse @PRESET_FOLDERS) { $by_file{(m{([^/]+)$})[0]} = $_ for Units::files_in($folder, qr/\.preset$/) }
  for my $line (map { split /\n/, UnitFile::text_of($by_file{$_}) // '' } sort keys %by_file) {
    my ($verb, $pattern) = $line =~ /^\s*(enable|disable)\s+(\S+)/ or next;
    next unless $name =~ Units::glob_pattern($pattern);
    return $verb eq 'enable' ? enable($name) : disable($name);
  }
  return enable($name);
}

sub mask {
  my ($name) = @_;
  my $path = "$FOLDER/$name";
  return (1, "Failed to mask unit: File '$path' already exists.\n") if -e $path && !-l $path;
  unlink $path;
  return symlink('/dev/null', $path) ? (0, "Created symlink '$path' -> '/dev/null'.\n") : (1, "$path: $!\n");
}

sub unmask {
  my ($name) = @_;
  my $path = "$FOLDER/$name";
  return (0, '') if (readlink $path // '') ne '/dev/null';
  return unlink($path) ? (0, "Removed '$path'.\n") : (1, "$path: $!\n");
}

# Links of run levels, by their own program.
sub set_script {
  my ($name, $verb) = @_;
  my ($script) = $name =~ /^(.*)\.service$/;
  $verb = 'defaults-disabled' if $verb eq 'remove';
  system {'/usr/sbin/update-rc.d'} 'update-rc.d', $script, $verb if -x '/usr/sbin/update-rc.d';
  return '';
}

1;
