-- What is stored is of this version's format from now on: processes of earlier versions write no more.

redis.call('SET', P .. 'format', FORMAT)
