throw new Error('built for another machine')
