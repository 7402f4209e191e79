"""Who sleeps when: schedules, decisions, lead times and limits. Pure: facts in, values out."""
