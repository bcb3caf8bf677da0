"""What all other packages use: errors, waiting, programs, progress.  It knows nothing of Jitsi."""
